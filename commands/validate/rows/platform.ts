/** Rows about what is around Docker: the agent, Portainer, ports, the primary, names. */
import { z } from "zod";
import { rangeOf, type Range } from "../../../config/firewall";
import {
  addressOfNode,
  firewallRules,
  primaryOf,
  metricsPorts,
  servicePorts,
} from "../../../config/node";
import { agentUrl, edgeUrl, environmentName } from "../../../config/portainer";
import type { Known } from "../../../clients/portainer";
import type { Environment } from "../../../clients/portainer-answers";
import type { NodeConfig } from "../../../config/schema";
import { portsOf, workloadsOf } from "../../../config/workloads";
import { openPorts } from "../../site/listening";
import type { Declared, Judgement, Row } from "../row";
import type { Latency, Reach } from "../subject";

/** The agent answers a ping with status 204. */
export const judgeAgent = ({ agent }: Pick<Reach, "agent">): Judgement => ({
  holds: agent === 204,
  figure: agent ? `status ${agent}` : "no answer",
});

/** Portainer waits twice the time between two polls, and 20 s more (portainer/api, internal/endpointutils). */
export const judgeHeartbeat = ({ Heartbeat: asks }: Pick<Environment, "Heartbeat">): Judgement => ({
  holds: asks,
  figure: asks ? "asks Portainer" : "does not ask Portainer",
});

/** Whether Portainer's agent answers, or asks. */
export const agent: Row = {
  id: "agent",
  title: "Portainer agent",
  how: "GET /ping over HTTPS at the node's address, from the node; with portainer.edge Portainer's API, which says whether the agent asks",
  threshold: ({ node }) => (agentUrl(node) ? "status 204" : edgeUrl(node) && "asks Portainer"),
  measure: async (subject) => {
    if (agentUrl(subject.node)) return judgeAgent(await subject.reach());
    return judgeHeartbeat(await subject.portainer().environment(knownBy(subject)));
  },
};

/** What Portainer knows the node's environment by. */
export function knownBy({ name, node }: Pick<Declared, "name" | "node">): Known {
  const url = agentUrl(node);
  return url === undefined ? { name: environmentName(name, node) } : { url };
}

/**
 * @param seen ids of the containers that Portainer shows
 * @param there those that Docker has
 */
export function judgePortainer(seen: readonly string[], there: readonly string[]): Judgement {
  const missing = there.filter((id) => !seen.includes(id)).length;
  const extra = seen.filter((id) => !there.includes(id)).length;
  const parts = [
    `${seen.length} of ${there.length} containers`,
    ...(missing > 0 ? [`${missing} not seen`] : []),
    ...(extra > 0 ? [`${extra} that are not there`] : []),
  ];
  return { holds: missing + extra === 0, figure: parts.join(", ") };
}

/** Whether Portainer shows what Docker has. */
export const portainer: Row = {
  id: "portainer",
  title: "Portainer's view",
  how: "containers of the node's environment by Portainer's API, beside docker ps --all",
  threshold: ({ node }) => node.portainer && "the containers that Docker has",
  measure: async (subject) => {
    const seen = await subject.portainer().containers(knownBy(subject));
    return judgePortainer(
      seen,
      (await subject.inventory()).containers.map(({ Id }) => Id),
    );
  },
};

/** TCP ports that others may reach; those that the program opens itself are needed. */
function declaredPorts(node: NodeConfig): { needed: number[]; ranges: Range[] } {
  const needed = servicePorts(node);
  const rules = firewallRules(node).filter(({ proto }) => proto === "tcp");
  const published = workloadsOf(node)
    .flatMap(([, workload]) => portsOf(node, workload))
    .filter(({ protocol }) => protocol === "tcp")
    .map(({ port }) => port);
  const single = [...needed, ...metricsPorts(node), ...published].map((port): Range => [
    port,
    port,
  ]);
  return { needed, ranges: [...single, ...rules.map(rangeOf)] };
}

/** Every port that the program needs is open, and none that nobody declared. */
export function judgePorts(node: NodeConfig, { listening }: Pick<Reach, "listening">): Judgement {
  const { needed, ranges } = declaredPorts(node);
  const open = [...new Set(openPorts(listening))].sort((a, b) => a - b);
  const isDeclared = (port: number): boolean =>
    ranges.some(([first, last]) => port >= first && port <= last);
  const closed = needed.filter((port) => !open.includes(port));
  const extra = open.filter((port) => !isDeclared(port));
  const wrong = [
    ...(closed.length > 0 ? [`closed: ${closed.join(", ")}`] : []),
    ...(extra.length > 0 ? [`not declared: ${extra.join(", ")}`] : []),
  ];
  const figure = [`open: ${open.join(", ") || "none"}`, ...wrong].join("; ");
  return { holds: wrong.length === 0, figure };
}

const rangeText = ([first, last]: Range): string =>
  first === last ? String(first) : `${first}-${last}`;

/** TCP ports on which the node listens to others. */
export const ports: Row = {
  id: "ports",
  title: "Open TCP ports",
  how: "ss on the node: what listens, on loopback alone left out",
  threshold: ({ node }) => {
    const { needed, ranges } = declaredPorts(node);
    const all = [...new Set(ranges.map(rangeText))].join(", ");
    return `${needed.join(", ")} open, nothing beside ${all}`;
  },
  measure: async ({ node, reach }) => judgePorts(node, await reach()),
};

/** No package waits for a reboot. */
export function judgeReboot({ reboot: packages }: Pick<Reach, "reboot">): Judgement {
  if (packages === null) return { holds: true, figure: "none" };
  return { holds: false, figure: ["one is needed", ...packages].join(" ") };
}

/** Whether an update waits for a reboot. */
export const reboot: Row = {
  id: "reboot",
  title: "Pending reboot",
  how: "/run/reboot-required on the node, which an update leaves",
  threshold: () => "none",
  measure: async ({ reach }) => judgeReboot(await reach()),
};

const reached = z.object({ reachable: z.boolean() });

/** Whether the node reaches its primary. */
export const primary: Row = {
  id: "primary",
  title: "Primary node",
  how: "a TCP connection from this node",
  threshold: ({ node }) => {
    const at = primaryOf(node);
    return at && `${at.host} port ${at.port} accepts a connection`;
  },
  measure: async ({ node, script }) => {
    const at = primaryOf(node);
    const where = { PRIMARY_ADDRESS: at?.host, PRIMARY_PORT: at?.port };
    const { reachable } = await script(reached, "reachability", where);
    return { holds: reachable, figure: reachable ? "accepts it" : "does not answer" };
  },
};

/** The name of a container stands for the address that it has. */
export const judgeNames = ({ asked, address }: Latency): Judgement => ({
  holds: asked === address,
  figure: `its name stands for ${asked}, it has ${address}`,
});

/** Names of containers on one node. */
export const discovery: Row = {
  id: "discovery",
  title: "Discovery on one node",
  how: "a container asks Docker's DNS for another one on its network",
  threshold: () => "the address it has",
  measure: async (subject) => judgeNames(await subject.latency()),
};

/** The primary's full name; undefined if it is not in the stack, or the node has no search domain. */
export function primaryName({ node, nodes }: Declared): string | undefined {
  const { searchDomain } = node.network;
  const at = primaryOf(node)?.host;
  const found = Object.entries(nodes).find(([, other]) => addressOfNode(other) === at);
  return found && searchDomain && `${found[0]}.${searchDomain}`;
}

const lookedUp = z.object({ address: z.string().nullable() });

/** The name of the primary, asked for from a container. */
export const discoveryAcross: Row = {
  id: "discovery-across",
  title: "Discovery of the primary",
  how: "a container of this node asks for the primary's full name",
  threshold: (declared) => primaryName(declared) && `is ${primaryOf(declared.node)?.host ?? ""}`,
  measure: async (subject) => {
    const name = primaryName(subject);
    const { address } = await subject.script(lookedUp, "validation/discovery", { HOST_NAME: name });
    const figure = address ? `${name} is ${address}` : `${name} is not known`;
    return { holds: address === primaryOf(subject.node)?.host, figure };
  },
};
