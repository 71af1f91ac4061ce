import { interfaceAt, interfaceOf, lanNetworks } from "../lan";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Checks VLANs and parents of macvlan and ipvlan networks. */
export function checkLanNetworks(node: NodeConfig, report: Report): void {
  checkVlans(node, report);
  checkParents(node, report);
  checkTrunks(node, report);
}

/** Frames of the NIC's own VLAN reach the guest untagged, so the sub-interface `parent.vlan` would never get one. */
function checkVlans(node: NodeConfig, report: Report): void {
  const own = node.network.vlan;
  if (own === undefined) return;
  const allowed = `a VLAN other than the NIC's own (network.vlan); without this key the network is on VLAN ${own}`;
  for (const [name, { vlan }] of lanNetworks(node))
    if (vlan === own) report(`networks/${name}/vlan`, vlan, allowed);
}

/**
 * Docker gives an interface to one network of a driver (moby, macvlan_network.go and ipvlan_network.go, createNetwork). A
 * macvlan and an ipvlan both seem to be made, and the second gets no container: the kernel has one of the two on an
 * interface (netdev_rx_handler_register).
 */
function checkParents(node: NodeConfig, report: Report): void {
  const owners = new Map<string, string>();
  for (const [name, network] of lanNetworks(node)) {
    const on = interfaceOf(network);
    const owner = owners.get(on);
    if (owner === undefined) owners.set(on, name);
    else
      report(
        `networks/${name}/parent`,
        network.parent,
        `another interface or vlan than networks.${owner}, which has ${on} for itself`,
      );
  }
}

function checkTrunks(node: NodeConfig, report: Report): void {
  const others = node.network.nics.map((_, index) => interfaceAt(index + 1));
  for (const [name, { parent, vlan }] of lanNetworks(node))
    if (vlan !== undefined && others.includes(parent))
      report(
        `networks/${name}/vlan`,
        vlan,
        `unset on ${parent}, or the first NIC as parent, eth0: only that one carries VLANs beside its own`,
      );
}
