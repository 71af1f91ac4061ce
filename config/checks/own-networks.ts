import { addressOf, isHostOf, overlaps, toCanonical } from "../cidr";
import { isLinkLocal6 } from "../ipv6";
import { nicsOf } from "../lan";
import { ownNetworks, type OwnNetwork } from "../own-networks";
import { bridgeSubnets } from "../pools";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Checks the networks that the node is in beside the one of `network.address`, which has its own checks. */
export function checkOwnNetworks(node: NodeConfig, report: Report): void {
  checkIpv6(node, report);
  checkNics(node, report);
  checkMacs(node, report);
  const [first, ...others] = ownNetworks(node);
  const before = first ? [first] : [];
  for (const own of others) {
    checkHost(own, report);
    const same = before.find(({ network }) => overlaps(network, own.network));
    if (same)
      report(
        own.path,
        own.cidr,
        `a network apart from ${same.network}, which ${keyOf(same)} is in`,
      );
    else checkAgainstDocker(own, node, report);
    before.push(own);
  }
}

function checkHost({ path, cidr, address }: OwnNetwork, report: Report): void {
  if (isHostOf(cidr, address)) return;
  const not = cidr.includes(":")
    ? "not the network's first, which its routers have"
    : "neither the network's base nor its broadcast";
  report(path, cidr, `a host address, ${not}`);
}

function checkIpv6({ network: { ipv6 } }: NodeConfig, report: Report): void {
  if (ipv6?.gateway && !isLinkLocal6(ipv6.gateway) && !isOtherHost(ipv6.address, ipv6.gateway))
    report(
      "network/ipv6/gateway",
      ipv6.gateway,
      `another host address of ${toCanonical(ipv6.address)}, or a link-local one, such as fe80::1`,
    );
}

/** Two NICs of one network would both answer for all addresses of the node (Linux, arp_ignore), and break its filters. */
function checkNics(node: NodeConfig, report: Report): void {
  const { nics, firewall } = node.network;
  const owners = new Map<string, string>();
  for (const { path, bridge, vlan } of nicsOf(node)) {
    const place = `${bridge}, ${vlan === undefined ? "no VLAN" : `VLAN ${vlan}`}`;
    const owner = owners.get(place);
    if (owner === undefined) owners.set(place, path);
    else
      report(`${path}/vlan`, vlan, `another VLAN or bridge than ${owner.replaceAll("/", ".")} has`);
  }
  for (const [index, nic] of nics.entries())
    if (nic.firewall && !firewall?.enabled)
      report(
        `network/nics/${index}/firewall`,
        true,
        "unset or false without network.firewall, or with network.firewall.enabled false: a NIC has no rules of its own",
      );
}

function checkMacs(node: NodeConfig, report: Report): void {
  const owners = new Map<string, string>();
  for (const { path, macAddress } of nicsOf(node)) {
    if (macAddress === undefined) continue;
    const owner = owners.get(macAddress);
    if (owner === undefined) owners.set(macAddress, path);
    else
      report(
        `${path}/macAddress`,
        macAddress,
        `a MAC address other than that of ${owner.replaceAll("/", ".")}`,
      );
  }
}

const isOtherHost = (cidr: string, address: string): boolean =>
  isHostOf(cidr, address) && !overlaps(addressOf(cidr), address);

/** The node routes Docker's subnets to its bridges, so it cannot reach them through a NIC. */
function checkAgainstDocker(own: OwnNetwork, node: NodeConfig, report: Report): void {
  const { daemon } = node.engine;
  const keys = ["bip", "fixed-cidr", "bip6", "fixed-cidr-v6"] as const;
  const subnets: (readonly [path: string, subnet: string | undefined])[] = [
    ...keys.map((key) => [`engine/daemon/${key}`, daemon[key]] as const),
    ...(daemon["default-address-pools"] ?? []).map(
      ({ base }, index) => [`engine/daemon/default-address-pools/${index}/base`, base] as const,
    ),
    ...bridgeSubnets(node),
  ];
  for (const [path, subnet] of subnets)
    if (subnet && overlaps(subnet, own.network))
      report(
        path,
        subnet,
        `addresses outside ${own.network}, a network of the node (${keyOf(own)})`,
      );
}

const keyOf = ({ path }: OwnNetwork): string => path.replaceAll("/", ".");
