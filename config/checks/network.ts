import { addressOf, toCanonical, isHostOf } from "../cidr";
import { isFiltered, isOpen, rangeOf } from "../firewall";
import { firewallRules } from "../node";
import { hasIpv6 } from "../own-networks";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Checks that node and gateway have addresses of hosts of the same network. */
export function checkAddresses({ network }: NodeConfig, report: Report): void {
  const { address, gateway } = network;
  if (!isHostOf(address, addressOf(address))) {
    report(
      "network/address",
      address,
      "a host address, neither the network's base nor its broadcast",
    );
  }
  if (!isHostOf(address, gateway) || gateway === addressOf(address)) {
    report("network/gateway", gateway, `another host address of ${toCanonical(address)}`);
  }
}

/** Checks the ports of firewall rules: none with icmp, and otherwise a range from 1 to 65535. */
export function checkFirewall({ network }: NodeConfig, report: Report): void {
  for (const [index, rule] of (network.firewall?.rules ?? []).entries()) {
    const path = `network/firewall/rules/${index}/port`;
    if (rule.proto === "icmp" && rule.port) report(path, rule.port, "leave it out with proto icmp");
    if (rule.proto !== "icmp" && !rule.port)
      report(path, undefined, `a port with proto ${rule.proto}`);
    const [first, last] = rangeOf(rule);
    if (first < 1 || last > 65535 || first > last)
      report(path, rule.port, "ports 1 to 65535, low first");
  }
}

/** The program comes over IPv4, unless `ssh.endpoint` leads it another way. */
export function checkManagement(node: NodeConfig, report: Report): void {
  if (!isFiltered(node) || node.ssh.endpoint) return;
  const lets4 = firewallRules(node).some(
    (rule) => rule.proto === "tcp" && !rule.source?.includes(":") && isOpen([rule], 22),
  );
  if (!lets4)
    report(
      "network/firewall/managementNetworks",
      node.network.firewall?.managementNetworks,
      "an IPv4 network among them, a rule that opens port 22 over IPv4, or ssh.endpoint: the program reaches the node over IPv4",
    );
}

/**
 * A container on docker0 without IPv6 gets the node's IPv4 servers, and Google's if there are none (moby,
 * libnetwork/internal/resolvconf/resolvconf.go, TransformForLegacyNw).
 */
export function checkServers(node: NodeConfig, report: Report): void {
  const { dnsServers } = node.network;
  const { ipv6, bridge, dns = [] } = node.engine.daemon;
  const over6 = [...dnsServers.entries()].filter(([, server]) => server.includes(":"));
  if (!hasIpv6(node))
    for (const [index, server] of over6)
      report(
        `network/dnsServers/${index}`,
        server,
        "an IPv4 address: the node reaches no other without network.ipv6 or ipv6 of one of network.nics",
      );
  else if (over6.length === dnsServers.length && !ipv6 && bridge !== "none" && dns.length === 0)
    report(
      "network/dnsServers",
      dnsServers,
      "an IPv4 address among them, or engine.daemon.dns: containers on docker0, which has no IPv6, would ask 8.8.8.8 instead",
    );
}
