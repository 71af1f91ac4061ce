import type { NodeConfig } from "../schema";
import { isBefore } from "./daemon/versions";
import type { Report } from "./report";

/**
 * Checks what IPv6 of bridge networks needs of the daemon. A macvlan and an ipvlan need nothing: dockerd neither filters nor
 * forwards for them.
 */
export function checkBridgeIpv6({ networks, engine }: NodeConfig, report: Report): void {
  const { daemon, version } = engine;
  const lacksRules = isBefore(version, "27.0") && !(daemon.ip6tables && daemon.experimental);
  const over6 = Object.entries(networks).flatMap(([name, network]) =>
    network.driver === "bridge" && network.ipv6 ? [[name, network] as const] : [],
  );
  for (const [name, { ipv6, isolated }] of over6) {
    // Since 27 dockerd makes them by itself (moby, release notes of 27.0).
    if (lacksRules)
      report(
        `networks/${name}/ipv6`,
        ipv6,
        `nothing before Docker 27 without experimental and ip6tables (engine.daemon): dockerd would make no IPv6 rules, and everybody could reach its containers; version is ${version}`,
      );
    if (isolated && daemon.ip6tables === false)
      report(
        `networks/${name}/isolated`,
        true,
        "false with ip6tables false (engine.daemon): nothing would keep its containers apart over IPv6",
      );
  }
  if (over6.length > 0) checkForwarding(daemon, report);
}

/**
 * With nftables dockerd does not turn forwarding on, and refuses a network while it is off (moby,
 * libnetwork/drivers/bridge/setup_ip_forwarding.go). The node turns it on before dockerd starts, if `ipv6` says so
 * (node/daemon/forwarding.sh).
 */
function checkForwarding(daemon: NodeConfig["engine"]["daemon"], report: Report): void {
  const isLeftToUs = daemon["firewall-backend"] === "nftables" && daemon["ip-forward"] !== false;
  if (isLeftToUs && !daemon.ipv6)
    report(
      "engine/daemon/ipv6",
      daemon.ipv6,
      "true with firewall-backend nftables and a bridge network that has IPv6: it is what turns the forwarding of IPv6 on",
    );
}
