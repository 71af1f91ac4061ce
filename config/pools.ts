import { contains } from "./cidr";
import type { NetworkConfig, NodeConfig } from "./schema";

/** Addresses of one family in a network. */
export interface Pool {
  /** What comes before its fields in a path of the configuration. */
  readonly at: "" | "ipv6/";
  readonly subnet: string;
  readonly gateway?: string;
  /** Docker hands out addresses from here only; undefined: from the whole subnet. */
  readonly range?: string;
  /** Addresses that Docker does not hand out, by name. */
  readonly excluded: Readonly<Record<string, string>>;
}

/** By this name Docker keeps the first address of the node. */
const OWN = "docker-node-host";

/** The pools of a network in the order in which Docker tells of them: IPv4, then IPv6 if the network has it. */
export function poolsOf(network: NetworkConfig): Pool[] {
  const pools: Pool[] = [{ excluded: {}, ...network, at: "" }];
  return network.ipv6 ? [...pools, { excluded: {}, ...network.ipv6, at: "ipv6/" }] : pools;
}

/**
 * Addresses that Docker must not give to containers, by name. It does not know the node's own ones, `hosts`: one, or more if the
 * subnet is wider than a NIC's network. The gateway it reserves itself, and no address twice.
 */
export function reserveAddresses(
  { subnet, gateway, range = subnet, excluded }: Pool,
  hosts: readonly string[],
): Record<string, string> {
  const kept = [gateway, ...Object.values(excluded)];
  const own = hosts.filter((host) => contains(range, host) && !kept.includes(host));
  const nameAt = (index: number): string => (index === 0 ? OWN : `${OWN}-${index + 1}`);
  return { ...excluded, ...Object.fromEntries(own.map((host, index) => [nameAt(index), host])) };
}

/** Subnets of the declared bridges, by path. The node has a route to each, and none to a macvlan or an ipvlan. */
export function bridgeSubnets({ networks }: Pick<NodeConfig, "networks">): [string, string][] {
  return Object.entries(networks).flatMap(([name, network]) =>
    network.driver === "bridge"
      ? poolsOf(network).map(({ at, subnet }): [string, string] => [
          `networks/${name}/${at}subnet`,
          subnet,
        ])
      : [],
  );
}
