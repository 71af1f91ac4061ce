import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { inOrder } from "../../config/workloads";
import type { DockerHost } from "../docker/docker-host";
import type { ImageScans } from "../docker/image-scan";
import type { Repairs } from "../docker/node-script";
import type { ContainerNetworks } from "../docker/networks";
import type { VirtualMachine } from "../machine/virtual-machine";
import { Workload } from "./workload";

export interface WorkloadsArgs {
  /** The node, as configured. */
  readonly node: NodeConfig;
  /** Secrets of the stack, by name. */
  readonly workloadSecrets?: Readonly<Record<string, pulumi.Input<string>>>;
  readonly networks: ContainerNetworks;
  /** The node's volumes. */
  readonly volumes: readonly pulumi.Resource[];
  readonly scans: ImageScans;
  readonly dockerHost: DockerHost;
  /** The machine whose Docker runs them. */
  readonly machine: VirtualMachine;
  /** What makes steps run again, to repair the node. */
  readonly repairs?: Repairs;
}

/** The workloads of a node, each after those that it depends on. */
export function createWorkloads(
  name: string,
  { node, workloadSecrets = {}, networks, volumes, scans, ...host }: WorkloadsArgs,
  opts: pulumi.ComponentResourceOptions,
): void {
  const { dockerHost, repairs, machine } = host;
  const shared = {
    ...{ node, secrets: workloadSecrets, networkIds: networks.ids },
    ...{ dockerHost, machine: machine.vm, repairs },
  };
  const made = new Map<string, Workload>();
  for (const [workload, config] of inOrder(node)) {
    const before = config.dependsOn.flatMap((other) => made.get(other)?.running ?? []);
    const own = { workload, config, scan: scans[workload] };
    const args = { ...shared, ...own, after: [...volumes, ...before] };
    made.set(workload, new Workload(`${name}-workload-${workload}`, args, opts));
  }
}
