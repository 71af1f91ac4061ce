import type { NetworkConfig, NodeConfig } from "./schema";

/* Docker networks that hang on the VM's NIC, and what the NIC has to let through for them. */

/** A network whose containers are on the wire beside the node. */
export type LanNetwork = Extract<NetworkConfig, { driver: "macvlan" }>;

/** The declared ones, by name. */
export function lanNetworks({ networks }: NodeConfig): [string, LanNetwork][] {
  return Object.entries(networks).filter(
    (entry): entry is [string, LanNetwork] => entry[1].driver !== "bridge",
  );
}

/**
 * VLANs the NIC carries beside its own. A NIC with a tag is an access port: Proxmox drops what the guest tags
 * itself unless the VLAN is among the trunks (pve-common, Network.pm, tap_plug).
 */
export function trunksOf(node: NodeConfig): number[] {
  const vlans = lanNetworks(node).flatMap(([, { vlan }]) => (vlan === undefined ? [] : [vlan]));
  return [...new Set(vlans)].sort((a, b) => a - b);
}

/** Whether containers send with MAC addresses of their own, which Proxmox's MAC filter drops. */
export function hasOwnMacs(node: NodeConfig): boolean {
  return lanNetworks(node).length > 0;
}
