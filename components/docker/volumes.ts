import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
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
    return new docker.Volume(nameResource(name, volume), args, {
      ...opts,
      ignoreChanges: ["labels"],
      ...protectWhile(node.machine.protect, guard),
      ...livesOn(machine),
      ...adoptVolume(node, volume),
    });
  });
}
