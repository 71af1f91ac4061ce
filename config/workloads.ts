import type { NodeConfig, WorkloadConfig } from "./schema";
import { addressOfNode } from "./node";

/* Values that are computed from a node's declared workloads. */

/** Label of a workload's containers. Its value is the workload's name. */
export const WORKLOAD_LABEL = "docker-node.workload";

/** Where a workload finds its secrets. */
export const SECRETS_PATH = "/run/secrets";

/** A workload with its name. */
export type Named = readonly [name: string, workload: WorkloadConfig];

/** The declared workloads, by name. */
export const workloadsOf = ({ workloads }: NodeConfig): Named[] => Object.entries(workloads);

/** The workloads of a node, each after those that it depends on. */
export function inOrder(node: NodeConfig): Named[] {
  const placed = new Map<string, Named>();
  const place = (name: string): void => {
    const workload = node.workloads[name];
    if (!workload || placed.has(name)) return;
    workload.dependsOn.forEach(place);
    placed.set(name, [name, workload]);
  };
  Object.keys(node.workloads).forEach(place);
  return [...placed.values()];
}

/** A port of the node that leads to a workload. */
export interface WorkloadPort {
  readonly address: string;
  readonly port: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

/**
 * Published ports of a workload, in the order in which Docker lists them (moby portmapperapi/api.go, Compare): another order comes
 * back as a difference, which replaces the container.
 */
export function portsOf(node: NodeConfig, { ports }: WorkloadConfig): WorkloadPort[] {
  return ports
    .map((port) => ({ ...port, address: port.address ?? addressOfNode(node) }))
    .sort(
      (a, b) =>
        a.containerPort - b.containerPort ||
        a.protocol.localeCompare(b.protocol) ||
        a.port - b.port ||
        addressNumber(a.address) - addressNumber(b.address),
    );
}

/** An IPv4 address as a number. */
const addressNumber = (address: string): number =>
  address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);

/** Names by which others on a network find a workload: its own and its aliases there. */
export function namesOn(name: string, { networks }: WorkloadConfig, network: string): string[] {
  return [...new Set([name, ...(networks[network]?.aliases ?? [])])];
}

/** Names of the stack's secrets that the workloads of a node use, each once. */
export function secretNames(node: NodeConfig): string[] {
  const all = workloadsOf(node).flatMap(([, { secrets }]) => Object.values(secrets));
  return [...new Set(all)].sort();
}

/** Id of a workload's user in the container. */
export const userIdOf = ({ user }: WorkloadConfig): number => Number(user.split(":")[0]);
