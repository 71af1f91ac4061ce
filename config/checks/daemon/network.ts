import { addressOf, contains, isBase, overlaps, toCanonical } from "../../cidr";
import type { NodeConfig } from "../../schema";
import type { Report } from "../report";
import { isBefore } from "./versions";

const PATH = "engine/daemon";
const isV6 = (network: string): boolean => network.includes(":");
const prefixOf = (network: string): number => Number(network.split("/")[1]);

/** `icc: false` needs dockerd's firewall rules (verifyDaemonSettings in moby). */
export function checkFirewall({ engine: { daemon } }: NodeConfig, report: Report): void {
  if (daemon.icc !== false) return;
  if (daemon.iptables === false)
    report(
      `${PATH}/iptables`,
      false,
      "true or unset with icc false, which needs the rules that dockerd makes",
    );
  if (daemon.ipv6 && daemon.ip6tables === false)
    report(`${PATH}/ip6tables`, false, "true or unset with ipv6 and icc false");
}

const DRIVERS = ["bridge", "macvlan", "ipvlan", "overlay"];

/** Options that only one network of a node can have. */
const OF_ONE = ["com.docker.network.bridge.name", "parent"];

/** Options by which every network gets or loses a family of addresses (moby, libnetwork/netlabel/labels.go). */
const OF_FAMILY = ["com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"];

/**
 * Checks options that the daemon adds to every network. Docker would choose an IPv6 subnet for each, and tell of it: a difference
 * that replaces what is declared.
 */
export function checkDefaultOptions(node: NodeConfig, report: Report): void {
  const { daemon } = node.engine;
  const declared = new Set<string>(Object.values(node.networks).map(({ driver }) => driver));
  for (const [driver, options] of Object.entries(daemon["default-network-opts"] ?? {})) {
    const path = `${PATH}/default-network-opts/${driver}`;
    for (const name of OF_ONE)
      if (name in options)
        report(`${path}/${name}`, options[name], "no default: only one network can have it");
    for (const name of OF_FAMILY)
      if (name in options && declared.has(driver))
        report(
          `${path}/${name}`,
          options[name],
          `no default with a declared network of this driver: networks.<name>.ipv6 gives it IPv6, with a subnet`,
        );
    if (!DRIVERS.includes(driver))
      report(path, options, `a network driver as the key: ${DRIVERS.join(", ")}`);
  }
}

/** Checks the addresses of docker0. Without docker0 there are none; otherwise they have to fit together. */
export function checkDocker0({ engine: { daemon } }: NodeConfig, report: Report): void {
  const { bip, bip6, bridge, "fixed-cidr": fixed } = daemon;
  if (bridge)
    for (const key of ["bip", "bip6", "fixed-cidr", "fixed-cidr-v6"] as const)
      if (daemon[key])
        report(`${PATH}/${key}`, daemon[key], `no ${key} with bridge none: there is no docker0`);
  for (const [key, value] of [
    ["bip", bip],
    ["bip6", bip6],
  ] as const)
    if (value && !isAddressOfHost(value))
      report(
        `${PATH}/${key}`,
        value,
        "an address that docker0 can have, neither the network's base nor its broadcast",
      );
  if (bip && fixed && !contains(bip, fixed))
    report(`${PATH}/fixed-cidr`, fixed, `a part of ${toCanonical(bip)}, docker0's network (bip)`);
}

/**
 * Containers of the program that are on docker0. Without docker0, dockerd starts them without any network (moby
 * daemon/container_operations.go, NetworkDisabled).
 */
export function checkDocker0Users(node: NodeConfig, report: Report): void {
  const { portainer, monitoring, backups, engine } = node;
  const sections = { portainer, "monitoring.cadvisor": monitoring?.cadvisor, backups };
  const users = Object.entries(sections).flatMap(([name, section]) => (section ? [name] : []));
  if (engine.daemon.bridge && users.length > 0)
    report(
      `${PATH}/bridge`,
      engine.daemon.bridge,
      `unset with ${users.join(", ")}: without docker0 their containers have no network`,
    );
}

function isAddressOfHost(value: string): boolean {
  if (isBase(value)) return false;
  if (isV6(value)) return prefixOf(value) < 128;
  return prefixOf(value) < 31 && !isBroadcast(value);
}

function isBroadcast(value: string): boolean {
  const bits = 32 - prefixOf(value);
  const number = addressOf(value)
    .split(".")
    .reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return number % 2 ** bits === 2 ** bits - 1;
}

/** Before Docker 27 and 28, IPv6 on docker0 needs further keys. */
export function checkIpv6({ engine: { daemon, version } }: NodeConfig, report: Report): void {
  const { ipv6, ip6tables, experimental, bip6, "fixed-cidr-v6": fixed } = daemon;
  const isBeforeRelease = (release: string): boolean => isBefore(version, release);
  if (ipv6 && !fixed && isBeforeRelease("28.0"))
    report(`${PATH}/ipv6`, true, `needs fixed-cidr-v6 before Docker 28; version is ${version}`);
  if (ip6tables && !experimental && isBeforeRelease("27.0"))
    report(`${PATH}/ip6tables`, true, `needs experimental before Docker 27; version is ${version}`);
  if (bip6 && !ipv6)
    report(`${PATH}/bip6`, bip6, "needs ipv6 true: without it docker0 has no IPv6");
  if (fixed && /^(ff|fe80)/i.test(fixed))
    report(`${PATH}/fixed-cidr-v6`, fixed, "a network for hosts, neither multicast nor link-local");
  const gateways = daemon["host-gateway-ips"] ?? [];
  if (gateways.length === 2 && isV6(gateways[0] ?? "") === isV6(gateways[1] ?? ""))
    report(`${PATH}/host-gateway-ips`, gateways, "one IPv4 and one IPv6 address");
}

/**
 * Checks the address pools. docker0 may lie inside a pool, because dockerd skips subnets that are in use. But it has to
 * fill exactly one subnet of the pool: otherwise a later network could get addresses around it.
 */
export function checkPools({ network, engine }: NodeConfig, report: Report): void {
  const { bip, "default-address-pools": pools = [] } = engine.daemon;
  const host = toCanonical(network.address);
  if (bip && overlaps(bip, host))
    report(`${PATH}/bip`, bip, `an address outside ${host}, the node's network`);
  for (const [index, pool] of pools.entries()) {
    const path = `${PATH}/default-address-pools/${index}`;
    const longest = isV6(pool.base) ? 126 : 30;
    if (pool.size < prefixOf(pool.base) || pool.size > longest)
      report(
        `${path}/size`,
        pool.size,
        `${prefixOf(pool.base)} to ${longest}: each subnet has to fit into ${pool.base}`,
      );
    if (overlaps(pool.base, host))
      report(`${path}/base`, pool.base, `addresses outside ${host}, the node's network`);
    if (bip && overlaps(pool.base, bip) && prefixOf(bip) !== pool.size)
      report(
        `${PATH}/bip`,
        bip,
        `outside ${pool.base}, or exactly one of its /${pool.size} subnets`,
      );
  }
}
