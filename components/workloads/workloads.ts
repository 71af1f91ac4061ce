import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { inOrder } from "../../config/workloads";
import { nameResource, workloadPart } from "../../config/names";
import type { RecordedNode } from "../../node/recorded";
import type { DockerHost } from "../docker/docker-host";
import type { Repairs } from "../docker/node-script";
import type { Images } from "../docker/images";
import type { ContainerNetworks } from "../docker/networks";
import { Workload } from "./workload";

/** What the workloads of a node need. */
export interface WorkloadsArgs {
  /** The node, as configured. */
  readonly node: NodeConfig;
  /** Secrets of the stack, by name. */
  readonly workloadSecrets?: Readonly<Record<string, pulumi.Input<string>>>;
  readonly networks: ContainerNetworks;
  /** The node's volumes. */
  readonly volumes: readonly pulumi.Resource[];
  readonly dockerHost: DockerHost;
  /** The images of the node. */
  readonly images: Images;
  /** The machine whose Docker runs them. */
  readonly machine: pulumi.Resource;
  /** What makes steps run again, to repair the node. */
  readonly repairs?: Repairs;
  /** What the state has of the node. */
  readonly recorded?: RecordedNode;
}

/** The workloads of a node, each after those that it depends on. */
export function createWorkloads(
  name: string,
  { node, workloadSecrets = {}, networks, volumes, recorded, ...host }: WorkloadsArgs,
  opts: pulumi.ComponentResourceOptions,
): void {
  const shared = { ...host, node, secrets: workloadSecrets, networkIds: networks.ids };
  const made = new Map<string, Workload>();
  for (const [workload, config] of inOrder(node)) {
    const before = config.dependsOn.flatMap((other) => made.get(other)?.running ?? []);
    const recordedPorts = recorded?.workloads[workload]?.ports;
    const args = { ...shared, workload, config, recordedPorts, after: [...volumes, ...before] };
    made.set(workload, new Workload(nameResource(name, workloadPart(workload)), args, opts));
  }
}
