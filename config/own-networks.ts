import { addressOf, toCanonical } from "./cidr";
import type { NodeConfig } from "./schema";

/** A network that a NIC of the node is in. */
export interface OwnNetwork {
  /** Where its address is declared, below the node. */
  readonly path: string;
  /** The NIC's address, with prefix length, as declared. */
  readonly cidr: string;
  /** The address alone, and the network, in their canonical forms. */
  readonly address: string;
  readonly network: string;
}

/** The networks that the node's NICs are in, the one by which it is reached first. */
export function ownNetworks({ network }: NodeConfig): OwnNetwork[] {
  const nics = network.nics.map((nic, index) => [`network/nics/${index}`, nic] as const);
  return [["network", network] as const, ...nics].flatMap(([path, { address, ipv6 }]) => [
    ownNetwork(`${path}/address`, address),
    ...(ipv6 ? [ownNetwork(`${path}/ipv6/address`, ipv6.address)] : []),
  ]);
}

/** The addresses of the node's NICs. */
export const ownAddresses = (node: NodeConfig): string[] =>
  ownNetworks(node).map(({ address }) => address);

function ownNetwork(path: string, cidr: string): OwnNetwork {
  return { path, cidr, address: addressOf(cidr), network: toCanonical(cidr) };
}
