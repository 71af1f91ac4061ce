import { lanNetworks } from "../lan";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Frames of the NIC's own VLAN reach the guest untagged, so the sub-interface `parent.vlan` would never get one. */
export function checkLanNetworks(node: NodeConfig, report: Report): void {
  const own = node.network.vlan;
  if (own === undefined) return;
  const allowed = `a VLAN other than the NIC's own (network.vlan); without this key the network is on VLAN ${own}`;
  for (const [name, { vlan }] of lanNetworks(node))
    if (vlan === own) report(`networks/${name}/vlan`, vlan, allowed);
}
