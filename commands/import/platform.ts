/** Turns volumes and the agent as found into their configuration. */
import { AGENT_CONTAINER } from "../../config/portainer";
import type { Tree } from "../../config/tree";
import type { Container, Facts, Volume } from "./facts";
import type { Findings } from "./finding";

/** A network or volume as it is on the node. */
export interface Named {
  /** As the configuration will have it, under its name. */
  readonly config: Tree;
  /** What Docker finds it by: the id of a network, the name of a volume. */
  readonly id: string;
}

/** Named volumes that can be declared. Those that cannot are left as they are and told of; anonymous ones are skipped. */
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

/** What is known of Portainer beside the node: from the other nodes of the stack, or from the command line. */
export interface Portainer {
  readonly server?: string;
  readonly image?: string;
}

/** The section `portainer`, and the id of the agent's container. Undefined if no agent runs. */
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
