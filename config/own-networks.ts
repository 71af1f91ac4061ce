import { addressOf, toCanonical } from "./cidr";
import { lanNetworks } from "./lan";
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

/** Whether a NIC of the node has an IPv6 address. */
export const hasIpv6 = ({ network }: NodeConfig): boolean =>
  [network, ...network.nics].some(({ ipv6 }) => ipv6 !== undefined);

/**
 * Whether a firewall of the VM's NICs sees IPv6: the node's own, or that of containers of a macvlan or an ipvlan. It sees nothing
 * that the guest tags itself (pve-firewall, bridge-nf-filter-vlan-tagged = 0).
 */
export const hasFilteredIpv6 = (node: NodeConfig): boolean =>
  hasIpv6(node) ||
  lanNetworks(node).some(([, { ipv6, vlan }]) => ipv6 !== undefined && vlan === undefined);

function ownNetwork(path: string, cidr: string): OwnNetwork {
  return { path, cidr, address: addressOf(cidr), network: toCanonical(cidr) };
}
