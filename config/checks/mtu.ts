import { MTU } from "../node";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** What Docker gives a bridge for which none is declared (moby, config.DefaultNetworkMTU). */
const DOCKERS = 1500;

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

/** The smallest declared MTU of the NICs, and where it is declared. */
function smallestOf({ mtu, nics }: NodeConfig["network"]): [size: number, where?: string] {
  const further = nics.map((nic, index) => [`network.nics.${index}.mtu`, nic.mtu ?? 1] as const);
  const declared = [["network.mtu", mtu ?? 1] as const, ...further].filter(([, size]) => size > 1);
  const [least] = declared.sort(([, a], [, b]) => a - b);
  return least ? [least[1], least[0]] : [Infinity];
}
