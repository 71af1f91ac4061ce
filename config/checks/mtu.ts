import { interfaceAt, lanNetworks } from "../lan";
import { MTU } from "../node";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** What Docker gives a bridge for which none is declared (moby, config.DefaultNetworkMTU). */
const DOCKERS = 1500;

/** The least that a link of IPv6 takes (RFC 8200, section 5). With less, Linux has no IPv6 on it. */
const LEAST_6 = 1280;

/**
 * Containers tell their peers which packets they take, by the MTU of their own network. Larger ones than a NIC of the node takes
 * never arrive, so their connections open and then hang. Networks that are adopted stay as they are, and an internal one leads nowhere.
 */
export function checkMtu({ network, networks, engine, adopt }: NodeConfig, report: Report): void {
  const [nic, where] = smallestOf(network);
  if (where === undefined) return;
  const { bridge, mtu = DOCKERS, "default-network-opts": defaults } = engine.daemon;
  const judge = (path: string, size: number, declared: number | undefined): void => {
    if (size > nic)
      report(
        path,
        declared,
        `at most ${nic}, the NIC's (${where}); without this key it is ${path.startsWith("engine") ? DOCKERS : byDefault}`,
      );
  };
  const byDefault = Number(defaults?.bridge?.[MTU] ?? DOCKERS);
  if (bridge !== "none") judge("engine/daemon/mtu", mtu, engine.daemon.mtu);
  for (const [name, one] of Object.entries(networks))
    if (one.driver === "bridge" && !one.internal && !(name in adopt.networks))
      judge(`networks/${name}/mtu`, one.mtu ?? byDefault, one.mtu);
}

/** Checks that what has IPv6 takes packets of the size that it needs: bridges and NICs. */
export function checkMtu6(node: NodeConfig, report: Report): void {
  const { networks, engine } = node;
  const byDefault = engine.daemon["default-network-opts"]?.bridge?.[MTU];
  for (const [name, one] of Object.entries(networks)) {
    if (one.driver !== "bridge" || !one.ipv6) continue;
    if (Number(one.mtu ?? byDefault ?? DOCKERS) < LEAST_6)
      report(`networks/${name}/mtu`, one.mtu, `at least ${LEAST_6} with IPv6 (RFC 8200)`);
  }
  checkNics6(node, report);
}

/** A NIC has IPv6 of its own, or that of a macvlan or an ipvlan whose parent it is. */
function checkNics6(node: NodeConfig, report: Report): void {
  const { network } = node;
  const others = network.nics.map((nic, index) => [`network/nics/${index}`, nic] as const);
  for (const [place, [path, nic]] of [["network", network] as const, ...others].entries()) {
    const { ipv6, mtu = 1 } = nic;
    if (mtu === 1 || mtu >= LEAST_6) continue;
    const on = lanNetworks(node).find(
      ([, one]) => one.ipv6 && one.parent === interfaceAt(place),
    )?.[0];
    const allowed = `at least ${LEAST_6}`;
    if (ipv6) report(`${path}/mtu`, mtu, `${allowed} with ipv6, or 1 for the bridge's (RFC 8200)`);
    else if (on !== undefined)
      report(`${path}/mtu`, mtu, `${allowed}, because networks.${on} has IPv6 (RFC 8200)`);
  }
}

/** The smallest declared MTU of the NICs, and where it is declared. */
function smallestOf({ mtu, nics }: NodeConfig["network"]): [size: number, where?: string] {
  const further = nics.map((nic, index) => [`network.nics.${index}.mtu`, nic.mtu ?? 1] as const);
  const declared = [["network.mtu", mtu ?? 1] as const, ...further].filter(([, size]) => size > 1);
  const [least] = declared.sort(([, a], [, b]) => a - b);
  return least ? [least[1], least[0]] : [Infinity];
}
