import { contains, isAddress, isCidr } from "../cidr";
import { isCidr6, meet } from "../daemon/values";
import { attempt } from "../partial";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/*
 * Docker routes its subnets to bridges of the node: whatever else lies in one is out of reach, and answers to it
 * go to the bridge. So none may hold what the node talks to or answers.
 *
 * What containers talk to is left out (daemon.json's dns and proxies): it may be a container itself. So is
 * Proxmox VE, which the node never talks to, and the gateway, which lies in the node's own network.
 */

type Texts = readonly (string | undefined)[];
type Places = Readonly<Record<string, (node: NodeConfig) => Texts>>;

/** What a node talks to or answers, by where it is declared; its primary apart. */
const PEERS: Places = {
  "network.dnsServers": ({ network }) => network.dnsServers,
  "network.firewall.managementNetworks": ({ network }) =>
    somewhere(network.firewall?.managementNetworks ?? []),
  "network.firewall.rules": ({ network }) =>
    somewhere((network.firewall?.rules ?? []).map(({ source }) => source)),
  "ssh.endpoint": ({ ssh }) => [ssh.endpoint?.host],
  "engine.mirror": ({ engine }) => [hostOf(engine.mirror)],
  "engine.distributionMirror": ({ engine }) => [hostOf(engine.distributionMirror)],
  "engine.daemon.registry-mirrors": ({ engine }) =>
    (engine.daemon["registry-mirrors"] ?? []).map(hostOf),
  "portainer.server": ({ portainer }) => [portainer?.server],
  "backups.server": ({ backups }) => [backups?.server.address],
};

const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/**
 * Sources that say where somebody is. A whole private block (RFC 1918) or more says who may come: every
 * Docker subnet lies in such a block, and whoever comes from it has an address elsewhere in it.
 */
function somewhere(sources: Texts): Texts {
  const isBlock = (source: string): boolean =>
    isCidr(source) && PRIVATE.some((block) => contains(source, block));
  return sources.filter((source) => source !== undefined && !isBlock(source));
}

function hostOf(url: string | undefined): string | undefined {
  return url && new URL(url).hostname.replace(/^\[|\]$/g, "");
}

const isNetwork = (text: string | undefined): text is string =>
  text !== undefined &&
  (isCidr(text) || isAddress(text) || isCidr6(text) || isCidr6(`${text}/128`));

/** Docker's subnets that the node has a route to, by path. Of a macvlan or an ipvlan it has none. */
function subnetsOf({ engine: { daemon }, networks }: NodeConfig): (readonly [string, string])[] {
  const keys = [daemon.bip ? "bip" : "fixed-cidr", daemon.bip6 ? "bip6" : "fixed-cidr-v6"] as const;
  const docker0 = keys.flatMap((key) => (daemon[key] ? [[key, daemon[key]] as const] : []));
  const pools = (daemon["default-address-pools"] ?? []).map(
    ({ base }, index) => [`default-address-pools/${index}/base`, base] as const,
  );
  const ofDaemon = [...docker0, ...pools].map(
    ([key, subnet]) => [`engine/daemon/${key}`, subnet] as const,
  );
  const bridges = Object.entries(networks).flatMap(([name, { driver, subnet }]) =>
    // One that lies in another is told of by itself (subnets.ts).
    driver === "bridge" && !ofDaemon.some(([, other]) => meet(subnet, other))
      ? [[`networks/${name}/subnet`, subnet] as const]
      : [],
  );
  return [...ofDaemon, ...bridges];
}

/** What the node has to reach, and where that is declared. A mistake in one hides none of the others. */
function peersOf(node: NodeConfig, places: Places): { network: string; path: string }[] {
  const found: { network: string; path: string }[] = [];
  for (const [path, read] of Object.entries(places))
    attempt(() => {
      for (const network of read(node).filter(isNetwork)) found.push({ network, path });
    });
  return found;
}

/** Docker's subnets against everything the node has to reach outside its own network. */
export function checkPeers(
  node: NodeConfig,
  primary: (node: NodeConfig) => string | undefined,
  report: Report,
): void {
  const peers = peersOf(node, { ...PEERS, primary: () => [primary(node)] });
  for (const [path, subnet] of subnetsOf(node)) {
    // What meets the node's own network is told of by other checks.
    if (meet(subnet, node.network.address)) continue;
    const inside = peers.filter(({ network }) => meet(subnet, network));
    const list = inside.map((peer) => `${peer.network} (${peer.path})`).join(", ");
    if (list) report(path, subnet, `addresses apart from what the node has to reach: ${list}`);
  }
}
