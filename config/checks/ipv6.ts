import type { NodeConfig } from "../schema";
import { isBefore } from "./daemon/versions";
import type { Report } from "./report";

/**
 * Checks what IPv6 of bridge networks needs of the daemon. A macvlan and an ipvlan need nothing: dockerd neither filters nor
 * forwards for them.
 */
export function checkBridgeIpv6({ networks, engine }: NodeConfig, report: Report): void {
  for (const [name, network] of Object.entries(networks)) {
    if (network.driver !== "bridge" || !network.ipv6) continue;
    const { ipv6, isolated } = network;
    const lacking = findLacking(engine);
    if (lacking) report(`networks/${name}/ipv6`, ipv6, lacking);
    if (isolated && engine.daemon.ip6tables === false)
      report(
        `networks/${name}/isolated`,
        true,
        "false with ip6tables false (engine.daemon): nothing would keep its containers apart over IPv6",
      );
  }
}

function findLacking({ version, daemon }: NodeConfig["engine"]): string | undefined {
  // Since 27 dockerd makes them by itself (moby, release notes of 27.0).
  if (isBefore(version, "27.0") && !(daemon.ip6tables && daemon.experimental))
    return `needs Docker 27 or later, or experimental with ip6tables (engine.daemon): dockerd would make no IPv6 rules, and everybody could reach its containers; version is ${version}`;
  // dockerd turns no forwarding on with nftables, and refuses the network while it is off (moby,
  // libnetwork/drivers/bridge/setup_ip_forwarding.go). `ipv6` turns it on before dockerd starts (node/daemon/forwarding.sh).
  if (daemon["firewall-backend"] === "nftables" && daemon["ip-forward"] !== false && !daemon.ipv6)
    return "needs ipv6 true with firewall-backend nftables (engine.daemon): it turns the forwarding of IPv6 on";
  return undefined;
}
