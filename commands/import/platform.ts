/** Turns networks, volumes and the agent as found into their configuration. */
import { ICC, MTU } from "../../config/node";
import { AGENT_CONTAINER } from "../../config/portainer";
import type { Container, Facts, Network, Volume } from "./facts";
import type { Findings } from "./finding";

type Tree = Record<string, unknown>;

/** Options that the configuration can declare. A network with any other option is left alone. */
const KNOWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  bridge: [ICC, MTU],
  macvlan: ["parent", "macvlan_mode"],
  ipvlan: ["parent", "ipvlan_mode", "ipvlan_flag"],
};

/** Values of options that the program sets, or that Docker means without them. */
const KNOWN_VALUES = { macvlan_mode: "bridge", ipvlan_mode: "l2", ipvlan_flag: "bridge" } as const;

/** Networks the daemon makes by itself. */
const BUILT_IN = ["bridge", "host", "none", "docker_gwbridge", "ingress"];

export interface Named {
  readonly config: Tree;
  /** What Docker knows it by. */
  readonly id: string;
}

/** Networks that can be declared, by name. The others are left, each with its reason. */
export function networksOf({ networks }: Facts, { leave }: Findings): Record<string, Named> {
  const found: Record<string, Named> = {};
  for (const network of networks.filter(({ Name }) => !BUILT_IN.includes(Name))) {
    const why = findInexpressible(network);
    if (why) leave(`network ${network.Name}`, `${why}, which the configuration has no word for`);
    else found[network.Name] = { id: network.Id, config: networkConfig(network) };
  }
  return found;
}

function findInexpressible({
  Driver,
  EnableIPv6,
  IPAM,
  Options,
  Scope,
}: Network): string | undefined {
  const known = KNOWN_OPTIONS[Driver];
  if (!known || Scope !== "local") return `driver ${Driver} of scope ${Scope}`;
  if (EnableIPv6) return "IPv6";
  if (IPAM.Driver !== "default") return `address driver ${IPAM.Driver}`;
  if (IPAM.Config?.length !== 1) return `${IPAM.Config?.length ?? 0} subnets`;
  const [pool] = IPAM.Config;
  if (
    Driver === "bridge" &&
    (pool?.IPRange ?? Object.keys(pool?.AuxiliaryAddresses ?? {}).length > 0)
  )
    return "a range or reserved addresses on a bridge";
  const unknown = Object.keys(Options ?? {}).find((key) => !known.includes(key));
  if (unknown) return `option ${unknown}`;
  return findUnlikeValue(Options ?? {});
}

function findUnlikeValue(options: Readonly<Record<string, string>>): string | undefined {
  const differs = Object.entries(KNOWN_VALUES).find(
    ([key, value]) => (options[key] ?? value) !== value,
  );
  return differs && `${differs[0].replace("_", " ")} ${options[differs[0]] ?? ""}`;
}

function networkConfig({ Driver, Internal, IPAM, Options }: Network): Tree {
  const { Subnet: subnet, Gateway: gateway, IPRange, AuxiliaryAddresses } = IPAM.Config?.[0] ?? {};
  if (Driver === "bridge") {
    const isolated = Options?.[ICC] === "false" ? { isolated: true } : {};
    return {
      subnet,
      ...(gateway ? { gateway } : {}),
      ...isolated,
      ...(Internal ? { internal: true } : {}),
      ...(Options?.[MTU] ? { mtu: Number(Options[MTU]) } : {}),
    };
  }
  const [, parent, vlan] = /^(.*?)(?:\.(\d+))?$/.exec(Options?.parent ?? "") ?? [];
  return {
    driver: Driver,
    parent,
    ...(vlan ? { vlan: Number(vlan) } : {}),
    subnet,
    gateway,
    ...(IPRange ? { range: IPRange } : {}),
    ...(AuxiliaryAddresses ? { excluded: AuxiliaryAddresses } : {}),
  };
}

/** Named volumes that can be declared. The others are left; nameless ones are of no interest. */
export function volumesOf({ volumes }: Facts, { leave }: Findings): Record<string, Named> {
  const found: Record<string, Named> = {};
  for (const volume of volumes.filter(({ Name }) => !/^[0-9a-f]{64}$/.test(Name))) {
    const why = findUnlike(volume);
    const labels = volume.Labels ?? {};
    const config = Object.keys(labels).length > 0 ? { labels } : {};
    if (why) leave(`volume ${volume.Name}`, `${why}, which the configuration has no word for`);
    else found[volume.Name] = { id: volume.Name, config };
  }
  return found;
}

function findUnlike({ Driver, Options }: Volume): string | undefined {
  if (Driver !== "local") return `driver ${Driver}`;
  const keys = Object.keys(Options ?? {});
  return keys.length > 0 ? `driver options (${keys.join(", ")})` : undefined;
}

/** What the stack says of Portainer elsewhere, or the command line. */
export interface Portainer {
  readonly server?: string;
  readonly image?: string;
}

/** The section `portainer` and the id of the agent that runs; nothing without one. */
export function agentOf(
  facts: Facts,
  address: string,
  known: Portainer,
  findings: Findings,
): { portainer: Tree; id: string } | undefined {
  const container = facts.containers.find(({ name }) => name === `/${AGENT_CONTAINER}`);
  if (!container) return undefined;
  const image = known.image ?? pinImage(container, facts);
  const port = Number(container.ports?.["9001/tcp"]?.[0]?.HostPort ?? NaN);
  const lacking = findUnadoptable(container, known, image, port);
  if (lacking) {
    findings.leave(AGENT_CONTAINER, lacking);
    return undefined;
  }
  const differs = findDifferences(container, address, image ?? "");
  const moving = "take adopt.agent out of the configuration to replace it by the declared one";
  findings.adopt(AGENT_CONTAINER, "keeps running as it was started");
  if (differs.length > 0)
    findings.leave(
      AGENT_CONTAINER,
      `would be replaced to be as declared (${differs.join("; ")}): ${moving}`,
    );
  return { portainer: { server: known.server, agent: { image, port } }, id: container.id };
}

function findUnadoptable(
  { running }: Container,
  { server }: Portainer,
  image: string | undefined,
  port: number,
): string | undefined {
  if (!running) return `does not run (docker logs ${AGENT_CONTAINER}); mended, it can be adopted`;
  if (!server) return "the Portainer server's address is not known: --portainer ADDRESS adopts it";
  if (!image)
    return "its image has no version or no digest, and the stack names no other: portainer.agent.image";
  return Number.isNaN(port) ? "its port 9001 is not published" : undefined;
}

/** The image it runs, with the digest it was pulled by; undefined for `latest` or one built there. */
function pinImage({ image, imageId }: Container, { images }: Facts): string | undefined {
  const [, repository, tag] = /^(.+?)(?::([\w][\w.-]*))?(?:@.*)?$/.exec(image) ?? [];
  const digests = images.find(({ id }) => id === imageId)?.digests ?? [];
  const digest = digests.find((one) => one.startsWith(`${repository ?? ""}@`))?.split("@")[1];
  return tag && tag !== "latest" && digest ? `${repository ?? ""}:${tag}@${digest}` : undefined;
}

/** How the container differs from the one that components/platform/portainer-agent.ts declares. */
function findDifferences(container: Container, address: string, image: string): string[] {
  const bound = container.ports?.["9001/tcp"]?.[0]?.HostIp ?? "";
  return [
    ...(container.image === image ? [] : [`image ${container.image}`]),
    ...(bound === address ? [] : [`port on ${bound || "every address"}`]),
    ...(container.restart === "always" ? [] : [`restart ${container.restart || "no"}`]),
    ...(container.userns === "host" ? [] : ["not in the host's user namespace"]),
    ...(container.environment.includes("AGENT_SECRET") ? [] : ["no AGENT_SECRET"]),
  ];
}

/** Containers that no program declares. They belong to the operator, and keep running. */
export function reportOthers({ containers }: Facts, { leave }: Findings): void {
  const names = containers
    .map(({ name }) => name.slice(1))
    .filter((name) => name !== AGENT_CONTAINER);
  if (names.length > 0)
    leave(`containers ${names.join(", ")}`, "not declared; they go on as they are");
}
