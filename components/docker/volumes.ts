import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { nameResource } from "../../config/names";
import type { NodeConfig } from "../../config/schema";
import { adoptVolume } from "../shared/adoption";
import { livesOn } from "../shared/lifetime";
import { protectWhile } from "../shared/protection";

/**
 * Creates the declared volumes of a node. They hold data, so they are protected if the node is.
 *
 * Labels are set at creation only. Docker cannot change them later, and the provider would delete the volume for it.
 */
export function createVolumes(
  name: string,
  node: NodeConfig,
  machine: pulumi.Resource,
  opts: pulumi.CustomResourceOptions,
  guard?: pulumi.ResourceHook,
): docker.Volume[] {
  return Object.entries(node.volumes).map(([volume, { labels }]) => {
    const args = {
      name: volume,
      driver: "local",
      labels: Object.entries(labels).map(([label, value]) => ({ label, value })),
    };
    const made = new docker.Volume(nameResource(name, volume), args, {
      ...opts,
      ignoreChanges: ["labels"],
      ...protectWhile(node.machine.protect, guard),
      ...livesOn(machine),
      ...adoptVolume(node, volume),
    });
    warnOfLabels(`nodes.${name}.volumes.${volume}.labels`, labels, made);
    return made;
  });
}

type Labels = Readonly<Record<string, string>>;

/** Says which labels a volume that exists does not take over: it is neither an error nor a change. */
function warnOfLabels(field: string, declared: Labels, volume: docker.Volume): void {
  volume.labels.apply(async (all = []) => {
    const had = Object.fromEntries(all.map(({ label, value }) => [label, value]));
    const differing = listDiffering(declared, had);
    if (differing.length === 0) return;
    await pulumi.log.warn(
      `${field}: the volume exists, and Docker cannot change its labels: ${differing.join(", ")}; docs/how-to/back-up.md has ways around`,
      volume,
    );
  });
}

/** Labels that are declared otherwise than the volume has them. */
export function listDiffering(declared: Labels, had: Labels): string[] {
  const keys = [...new Set([...Object.keys(declared), ...Object.keys(had)])].sort();
  return keys
    .filter((key) => declared[key] !== had[key])
    .map((key) => `${key} is ${had[key] ?? "unset"}, declared ${declared[key] ?? "unset"}`);
}
