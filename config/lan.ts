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

/** VLANs of the NIC: its own, if it has one, and its trunks. */
export function vlansOf(node: NodeConfig): number[] {
  const { vlan } = node.network;
  return [...(vlan === undefined ? [] : [vlan]), ...trunksOf(node)];
}

/**
 * VLANs that the NIC carries in addition to its own. A NIC with a tag is an access port: Proxmox drops frames that the
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
