import { addressOf, contains, firstHost, isAddress, isAddress6, overlaps } from "../cidr";
import { declaredImages, hostOf as registryOf } from "../images";
import { isNetworkText } from "../ipv6";
import { attempt } from "../partial";
import { lanNetworks } from "../lan";
import { ownAddresses, ownNetworks } from "../own-networks";
import { bridgeSubnets, poolsOf } from "../pools";
import { edgeUrl } from "../portainer";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/*
 * The node routes Docker's subnets to its bridges. It cannot reach another machine whose address lies in such a subnet,
 * because packets for it go to the bridge. So no subnet may hold an address that the node talks to or answers.
 *
 * Three things are not checked: servers that containers talk to (dns and proxies of daemon.json), because they may be
 * containers themselves; Proxmox VE, which the node never talks to; and the gateway, which lies in the node's network.
 */

type Texts = readonly (string | undefined)[];
type Places = Readonly<Record<string, (node: NodeConfig) => Texts>>;

/** Addresses that a node talks to or answers, by the path that declares them. The primary is added later. */
const PEERS: Places = {
  "network.dnsServers": ({ network }) => network.dnsServers,
  "network.firewall.managementNetworks": ({ network }) =>
    withoutBlocks(network.firewall?.managementNetworks ?? []),
  "network.firewall.rules": ({ network }) =>
    withoutBlocks((network.firewall?.rules ?? []).map(({ source }) => source)),
  "ssh.endpoint": ({ ssh }) => [ssh.endpoint?.host],
  "engine.mirror": ({ engine }) => [hostOf(engine.mirror)],
  "engine.distributionMirror": ({ engine }) => [hostOf(engine.distributionMirror)],
  "engine.daemon.registry-mirrors": ({ engine }) =>
    (engine.daemon["registry-mirrors"] ?? []).map(hostOf),
  registries: ({ registries }) => Object.keys(registries).map((host) => host.split(":")[0]),
  "monitoring.scrapers": ({ monitoring }) => monitoring?.scrapers ?? [],
  "engine.daemon.log-opts": ({ engine }) => logServers(engine.daemon["log-opts"] ?? {}),
  "portainer.server": ({ portainer }) => [portainer?.server],
  "portainer.edge.url": ({ portainer }) => [hostOf(portainer?.edge?.url)],
  "portainer.environment.url": (node) => (node.portainer?.edge?.url ? [] : [hostOf(edgeUrl(node))]),
  images: (node) => declaredImages(node).map(({ image }) => registryOf(image).split(":")[0]),
  "backups.server": ({ backups }) => [backups?.server.address],
};

/** Blocks that Docker's subnets lie in: private ones (RFC 1918), local ones (RFC 4193, with L = 1), and all of IPv6's global ones. */
const BLOCKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8", "2000::/3"];

/**
 * Drops sources that cover a whole block. Such a rule says who may connect, not where a machine is:
 * every Docker subnet lies in one of the blocks.
 */
function withoutBlocks(sources: Texts): Texts {
  const isBlock = (source: string): boolean =>
    isNetworkText(source) && BLOCKS.some((block) => contains(source, block));
  return sources.filter((source) => source !== undefined && !isBlock(source));
}

function hostOf(url: string | undefined): string | undefined {
  return url && new URL(url).hostname.replace(/^\[|\]$/g, "");
}

/** Hosts of the options in which log drivers have their servers; a socket has none. */
const logServers = (options: Readonly<Record<string, string>>): Texts =>
  Object.entries(options)
    .filter(([name]) => /-(address|endpoint)$/.test(name))
    .map(([, value]) => /^(?:[a-z+]+:\/\/)?(?:\[([^\]]+)\]|([^:/[]+))/.exec(value))
    .map((found) => found?.[1] ?? found?.[2]);

const isNetwork = (text: string | undefined): text is string =>
  text !== undefined && isNetworkText(text);

/** Docker's subnets that the node has a route to, by path. */
function subnetsOf(node: NodeConfig): (readonly [string, string])[] {
  const { daemon } = node.engine;
  const keys = [daemon.bip ? "bip" : "fixed-cidr", daemon.bip6 ? "bip6" : "fixed-cidr-v6"] as const;
  const docker0 = keys.flatMap((key) => (daemon[key] ? [[key, daemon[key]] as const] : []));
  const pools = (daemon["default-address-pools"] ?? []).map(
    ({ base }, index) => [`default-address-pools/${index}/base`, base] as const,
  );
  const ofDaemon = [...docker0, ...pools].map(
    ([key, subnet]) => [`engine/daemon/${key}`, subnet] as const,
  );
  // subnets.ts reports a subnet that overlaps another one.
  const apart = bridgeSubnets(node).filter(
    ([, subnet]) => !ofDaemon.some(([, it]) => overlaps(subnet, it)),
  );
  return [...ofDaemon, ...apart];
}

/** The node's own addresses on its bridges, where a port that a container publishes answers: a log server may be there. */
function bridgeAddresses({ engine: { daemon }, networks }: NodeConfig): string[] {
  const docker0 = [daemon.bip, daemon.bip6].flatMap((bip) => (bip ? [addressOf(bip)] : []));
  const pools = Object.values(networks).filter(({ driver }) => driver === "bridge");
  const gateways = pools
    .flatMap(poolsOf)
    .map(({ gateway, subnet }) => gateway ?? firstHost(subnet));
  return [...docker0, ...gateways];
}

/** Addresses that the node has to reach, and the paths that declare them. A mistake in one does not hide the others. */
function peersOf(node: NodeConfig, places: Places): { network: string; path: string }[] {
  const found: { network: string; path: string }[] = [];
  for (const [path, read] of Object.entries(places))
    attempt(() => {
      for (const network of read(node).filter(isNetwork)) found.push({ network, path });
    });
  return found;
}

/**
 * Checks that no macvlan or ipvlan hands out an address that the configuration has for another machine: two machines would have it. The
 * node's own ones are kept out by the program.
 */
export function checkHandedOut(node: NodeConfig, places: Places, report: Report): void {
  const known = peersOf(node, { ...PEERS, ...places }).filter(
    ({ network }) => isAddress(network) || isAddress6(network),
  );
  // An adopted network is not checked: changing its exclusions would replace it.
  const own = lanNetworks(node).filter(([name]) => !(name in node.adopt.networks));
  const pools = own.flatMap(([name, one]) => poolsOf(one).map((pool) => [name, pool] as const));
  for (const [name, { at, subnet, range = subnet, gateway, excluded }] of pools) {
    const kept = [gateway, ...Object.values(excluded), ...ownAddresses(node)];
    const given = known.filter(
      ({ network }) =>
        contains(range, network) && !kept.some((one) => one && contains(one, network)),
    );
    const list = given.map((peer) => `${peer.network} (${peer.path})`).join(", ");
    if (list)
      report(
        `networks/${name}/${at}excluded`,
        excluded,
        `with ${list}, or a range without: Docker would give it to a container`,
      );
  }
}

/** Checks that Docker's subnets hold no address that the node has to reach outside its own network. */
export function checkPeers(
  node: NodeConfig,
  primary: (node: NodeConfig) => string | undefined,
  report: Report,
): void {
  const here = bridgeAddresses(node);
  const peers = peersOf(node, { ...PEERS, primary: () => [primary(node)] }).filter(
    ({ network }) => !here.includes(network),
  );
  for (const [path, subnet] of subnetsOf(node)) {
    // Other checks report a subnet that overlaps the node's own network.
    if (ownNetworks(node).some((own) => overlaps(subnet, own.network))) continue;
    const inside = peers.filter(({ network }) => overlaps(subnet, network));
    const list = inside.map((peer) => `${peer.network} (${peer.path})`).join(", ");
    if (list)
      report(path, subnet, `a subnet without the addresses that the node has to reach: ${list}`);
  }
}
