import { lanNetworks } from "../lan";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** A frame of the NIC's own VLAN reaches the guest without tag, so that `parent.vlan` would never see one. */
export function checkLanNetworks(node: NodeConfig, report: Report): void {
  const own = node.network.vlan;
  const allowed = `another VLAN than the NIC's own (network.vlan), or nothing: the network is then on VLAN ${own}`;
  for (const [name, { vlan }] of lanNetworks(node))
    if (vlan === own) report(`networks/${name}/vlan`, vlan, allowed);
}
