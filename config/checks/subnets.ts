import { toCanonical, contains, isHostOf, overlaps } from "../cidr";
import { poolsOf, type Pool } from "../pools";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Checks that networks share no address with one another, with the daemon's networks, and bridges none with the node's network. */
export function checkContainerNetworks(node: NodeConfig, report: Report): void {
  const taken = daemonNetworks(node);
  const own = ["the node's network", node.network.address] as const;
  for (const [name, network] of Object.entries(node.networks))
    for (const pool of poolsOf(network)) {
      const others = network.driver === "bridge" ? [...taken, own] : taken;
      const clash = others.find(([, other]) => overlaps(pool.subnet, other));
      const path = `networks/${name}/${pool.at}`;
      if (clash)
        report(
          `${path}subnet`,
          pool.subnet,
          `a subnet that does not overlap ${clash[0]} (${clash[1]})`,
        );
      else taken.push([`networks.${name}`, pool.subnet]);
      checkMembers(pool, path, report);
    }
}

/** Subnets that the daemon has for docker0, or gives to networks without a declared one. */
function daemonNetworks({ engine: { daemon } }: NodeConfig): (readonly [string, string])[] {
  const { bip, bip6, "fixed-cidr-v6": fixed6, "default-address-pools": pools = [] } = daemon;
  const docker0 = [bip, bip6 ?? fixed6].flatMap((one) => (one ? [["docker0", one] as const] : []));
  return [
    ...docker0,
    ...pools.map(({ base }, index) => [`default-address-pools.${index}`, base] as const),
  ];
}

function checkMembers(pool: Pool, path: string, report: Report): void {
  const { subnet, gateway, range, excluded } = pool;
  const canonical = toCanonical(subnet);
  const inside = `a host address of ${canonical}`;
  if (canonical !== subnet) report(`${path}subnet`, subnet, `the network itself: ${canonical}`);
  if (gateway && !isHostOf(subnet, gateway)) report(`${path}gateway`, gateway, inside);
  if (range) checkRange(subnet, range, `${path}range`, report);
  for (const [name, address] of Object.entries(excluded))
    if (!isHostOf(subnet, address)) report(`${path}excluded/${name}`, address, inside);
  checkReserved(pool, path, report);
}

/** Docker takes no range with host bits (moby, validateIPRange). */
function checkRange(subnet: string, range: string, path: string, report: Report): void {
  const canonical = toCanonical(range);
  if (!contains(subnet, range)) report(path, range, `a part of ${toCanonical(subnet)}`);
  else if (canonical !== range) report(path, range, `the network itself: ${canonical}`);
}

/**
 * Docker reserves the gateway, then each excluded address. It makes no network if one of them is reserved already (moby,
 * ipamAllocateVersion).
 */
function checkReserved({ gateway, excluded }: Pool, path: string, report: Report): void {
  const owners = new Map<string, string>(gateway ? [[gateway, `${path}gateway`]] : []);
  for (const [name, address] of Object.entries(excluded)) {
    const at = `${path}excluded/${name}`;
    const owner = owners.get(address)?.replaceAll("/", ".");
    if (owner === undefined) owners.set(address, at);
    else report(at, address, `another address than ${owner}, which Docker reserves already`);
  }
}
