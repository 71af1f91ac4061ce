import { toCanonical, contains, isHostOf, overlaps } from "../cidr";
import type { NetworkConfig, NodeConfig } from "../schema";
import type { Report } from "./report";

export function checkContainerNetworks(node: NodeConfig, report: Report): void {
  const { bip, "default-address-pools": pools = [] } = node.engine.daemon;
  const taken = new Map<string, string>();
  if (bip) taken.set("docker0", bip);
  for (const [index, pool] of pools.entries())
    if (!pool.base.includes(":")) taken.set(`default-address-pools.${index}`, pool.base);
  const bridgesOnly = new Map([["the node's network", node.network.address]]);
  for (const [name, network] of Object.entries(node.networks)) {
    const others = network.driver === "bridge" ? [...taken, ...bridgesOnly] : [...taken];
    const clash = others.find(([, other]) => overlaps(network.subnet, other));
    const path = `networks/${name}`;
    if (clash)
      report(
        `${path}/subnet`,
        network.subnet,
        `a subnet that does not overlap ${clash[0]} (${clash[1]})`,
      );
    else taken.set(`networks.${name}`, network.subnet);
    checkMembers(network, path, report);
  }
}

function checkMembers(network: NetworkConfig, path: string, report: Report): void {
  const { subnet, gateway } = network;
  const inside = `a host address of ${toCanonical(subnet)}`;
  if (toCanonical(subnet) !== subnet)
    report(`${path}/subnet`, subnet, `the network itself: ${toCanonical(subnet)}`);
  if (gateway && !isHostOf(subnet, gateway)) report(`${path}/gateway`, gateway, inside);
  if (network.driver === "bridge") return;
  if (network.range && !contains(subnet, network.range)) {
    report(`${path}/range`, network.range, `a part of ${toCanonical(subnet)}`);
  }
  for (const [name, excluded] of Object.entries(network.excluded)) {
    if (!isHostOf(subnet, excluded)) report(`${path}/excluded/${name}`, excluded, inside);
  }
}
