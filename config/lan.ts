import type { NetworkConfig, NodeConfig } from "./schema";

/* Docker networks on the VM's NIC, and what the NIC has to let through for them. */

/** A network whose containers have their own addresses on the node's LAN. */
export type LanNetwork = Exclude<NetworkConfig, { driver: "bridge" }>;

/** The declared LAN networks, by name. */
export function lanNetworks({ networks }: NodeConfig): [string, LanNetwork][] {
  return Object.entries(networks).filter(
    (entry): entry is [string, LanNetwork] => entry[1].driver !== "bridge",
  );
}

/**
 * The interface that the containers' interfaces of a LAN network hang on. Docker makes that of a VLAN, `parent.vlan` (802.1Q
 * trunk bridge mode).
 */
export function interfaceOf({ parent, vlan }: Pick<LanNetwork, "parent" | "vlan">): string {
  return vlan === undefined ? parent : `${parent}.${vlan}`;
}

/** What the node calls its NIC at a place: eth0, eth1 and so on (qemu-server, Cloudinit.pm). */
export const interfaceAt = (place: number): string => `eth${place}`;

/** A NIC of the VM. */
export interface Nic {
  /** Path of its section, below the node. */
  readonly path: string;
  readonly bridge: string;
  /** Its own VLAN, if it has one. */
  readonly vlan: number | undefined;
  /** What it carries beside that. */
  readonly trunks: readonly number[];
  readonly mtu: number | undefined;
  readonly macAddress: string | undefined;
}

/** The NICs of the VM. Only the first one has trunks. */
export function nicsOf(node: NodeConfig): Nic[] {
  const { network } = node;
  return [network, ...network.nics].map(({ bridge, vlan, mtu, macAddress }, index) => ({
    path: index === 0 ? "network" : `network/nics/${index - 1}`,
    trunks: index === 0 ? trunksOf(node) : [],
    ...{ bridge, vlan, mtu, macAddress },
  }));
}

/** VLANs of a NIC: its own, if it has one, and its trunks. */
export function vlansOf({ vlan, trunks }: Nic): number[] {
  return [...(vlan === undefined ? [] : [vlan]), ...trunks];
}

/**
 * VLANs that the first NIC carries in addition to its own. A NIC with a tag is an access port: Proxmox drops frames that the
 * guest tags itself, unless their VLAN is among the trunks (pve-common, Network.pm, tap_plug).
 */
export function trunksOf(node: NodeConfig): number[] {
  const vlans = lanNetworks(node).flatMap(([, { vlan }]) => (vlan === undefined ? [] : [vlan]));
  return [...new Set(vlans)].sort((a, b) => a - b);
}

/** Whether containers have their own MAC addresses: those of a macvlan. Proxmox's MAC filter would drop their frames. */
export function hasOwnMacs(node: NodeConfig): boolean {
  return lanNetworks(node).some(([, { driver }]) => driver === "macvlan");
}
