import { addressOf, toCanonical, isHostOf } from "../cidr";
import { rangeOf } from "../firewall";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

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

export function checkFirewall({ network }: NodeConfig, report: Report): void {
  for (const [index, rule] of (network.firewall?.rules ?? []).entries()) {
    const path = `network/firewall/rules/${index}/port`;
    if (rule.proto === "icmp" && rule.port) report(path, rule.port, "no port with proto icmp");
    if (rule.proto !== "icmp" && !rule.port)
      report(path, undefined, `a port with proto ${rule.proto}`);
    const [first, last] = rangeOf(rule);
    if (first < 1 || last > 65535 || first > last)
      report(path, rule.port, "ports 1 to 65535, low first");
  }
}
