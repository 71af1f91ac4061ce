import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { adoptVolume } from "../shared/adoption";
import { livesOn } from "../shared/lifetime";
import { protectedWhile } from "../shared/protection";

/**
 * The named volumes declared for a node. Protected where the node is: they hold data.
 *
 * Docker cannot change labels of a volume that exists, and the provider would delete it for them: they are those
 * of its creation.
 */
export function createVolumes(
  name: string,
  node: NodeConfig,
  machine: pulumi.Resource,
  opts: pulumi.CustomResourceOptions,
  guard?: pulumi.ResourceHook,
): void {
  for (const [volume, { labels }] of Object.entries(node.volumes)) {
    new docker.Volume(
      `${name}-${volume}`,
      {
        name: volume,
        driver: "local",
        labels: Object.entries(labels).map(([label, value]) => ({ label, value })),
      },
      {
        ...opts,
        ignoreChanges: ["labels"],
        ...protectedWhile(node.machine.protect, guard),
        ...livesOn(machine),
        ...adoptVolume(node, volume),
      },
    );
  }
}
