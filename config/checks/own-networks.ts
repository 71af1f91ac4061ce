import { meet } from "../daemon/values";
import { addressOf6, isHostOf6, isLinkLocal6, networkOf6 } from "../ipv6";
import { ownNetworks, type OwnNetwork } from "../own-networks";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** The smallest packet that every link of IPv6 carries, in bytes (RFC 8200, 5). */
const SMALLEST_MTU6 = 1280;

/** Checks the networks that the node is in beside the one of `network.address`, which has its own checks. */
export function checkOwnNetworks(node: NodeConfig, report: Report): void {
  checkIpv6(node, report);
  const [, ...others] = ownNetworks(node);
  for (const own of others) {
    if (own.cidr.includes(":") && !isHostOf6(own.cidr, own.address))
      report(own.path, own.cidr, "a host address, not the network's first, which its routers have");
    checkAgainstDocker(own, node, report);
  }
}

function checkIpv6({ network }: NodeConfig, report: Report): void {
  const { ipv6, dnsServers, mtu = 1 } = network;
  if (!ipv6) {
    checkServers(dnsServers, report);
    return;
  }
  const { address, gateway } = ipv6;
  if (gateway && !isLinkLocal6(gateway) && !isOtherHost(address, gateway))
    report(
      "network/ipv6/gateway",
      gateway,
      `another host address of ${networkOf6(address)}, or a link-local one, such as fe80::1`,
    );
  if (mtu > 1 && mtu < SMALLEST_MTU6)
    report("network/mtu", mtu, `at least ${SMALLEST_MTU6} with network.ipv6, or 1 for the bridge's`);
}

function checkServers(dnsServers: readonly string[], report: Report): void {
  const allowed = "an IPv4 address: without network.ipv6 the node reaches no other";
  for (const [index, server] of dnsServers.entries())
    if (server.includes(":")) report(`network/dnsServers/${index}`, server, allowed);
}

const isOtherHost = (cidr: string, address: string): boolean =>
  isHostOf6(cidr, address) && !meet(addressOf6(cidr), address);

/** Docker's subnets are routed to its bridges: what is in one of them, the node cannot reach by a NIC. */
function checkAgainstDocker(own: OwnNetwork, node: NodeConfig, report: Report): void {
  const { daemon } = node.engine;
  const keys = ["bip", "fixed-cidr", "bip6", "fixed-cidr-v6"] as const;
  const subnets: (readonly [path: string, subnet: string | undefined])[] = [
    ...keys.map((key) => [`engine/daemon/${key}`, daemon[key]] as const),
    ...(daemon["default-address-pools"] ?? []).map(
      ({ base }, index) => [`engine/daemon/default-address-pools/${index}/base`, base] as const,
    ),
    ...Object.entries(node.networks).flatMap(([name, { driver, subnet }]) =>
      driver === "bridge" ? [[`networks/${name}/subnet`, subnet] as const] : [],
    ),
  ];
  for (const [path, subnet] of subnets)
    if (subnet && meet(subnet, own.network))
      report(
        path,
        subnet,
        `addresses outside ${own.network}, a network of the node (${keyOf(own)})`,
      );
}

const keyOf = ({ path }: OwnNetwork): string => path.replaceAll("/", ".");
