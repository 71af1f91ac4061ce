import { addressOfNode } from "./node";
import type { NodeConfig } from "./schema";
import { workloadsOf } from "./workloads";

/*
 * How workloads find those of other nodes. Docker's DNS knows the names on a node's own networks and no more, so a workload that reaches
 * another one gets its name and addresses as entries of its hosts file.
 */

type Nodes = Readonly<Record<string, NodeConfig>>;

/** Last label of the names: reserved for private use, so no DNS outside has it (ICANN, 2024-07-29). */
const DOMAIN = "internal";

/** The name by which a workload of any node is found. */
const nameOfWorkload = (workload: string): string => `${workload}.${DOMAIN}`;

/** Addresses at which a workload is reached: of each node that runs it and has a port for it on its own address. */
export function addressesOf(workload: string, nodes: Nodes): string[] {
  return Object.values(nodes).flatMap((node) => {
    const own = addressOfNode(node);
    const ports = node.workloads[workload]?.ports ?? [];
    return ports.some(({ address = own }) => address === own) ? [own] : [];
  });
}

/** Names of the workloads that others can reach, on any node. */
export const reachableWorkloads = (nodes: Nodes): string[] => [
  ...new Set(
    Object.values(nodes)
      .flatMap(workloadsOf)
      .flatMap(([name]) => (addressesOf(name, nodes).length > 0 ? [name] : [])),
  ),
];

/** The nodes with the names of what their workloads reach among `hosts`. */
export function withNames(nodes: Nodes): Record<string, NodeConfig> {
  const addNames = (node: NodeConfig): NodeConfig => {
    const workloads = workloadsOf(node).map(([name, workload]) => {
      const reached = workload.reaches.flatMap((other) => {
        const addresses = addressesOf(other, nodes);
        return addresses.length > 0 ? [[nameOfWorkload(other), addresses] as const] : [];
      });
      return [name, { ...workload, hosts: { ...workload.hosts, ...Object.fromEntries(reached) } }];
    });
    return { ...node, workloads: Object.fromEntries(workloads) as NodeConfig["workloads"] };
  };
  return Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, addNames(node)]));
}
