import { addressOf } from "./cidr";
import type { NodeConfig } from "./schema";

/* Values that are computed from a node's side of Portainer. */

/** Name of the agent's container. */
export const AGENT_CONTAINER = "portainer_agent";

/** Name of the container of the agent with the next secret. */
export const NEXT_AGENT_CONTAINER = "portainer_agent_next";

/** Port at which Portainer reaches the agent; undefined without an agent, and where the agent reaches Portainer. */
export const agentPort = ({ portainer }: NodeConfig): number | undefined =>
  portainer && !portainer.edge ? portainer.agent.port : undefined;

/** The agents of a node that Portainer reaches, each with its port: while the secret is rotated there are two. */
export function reachedAgents(node: NodeConfig): [container: string, port: number][] {
  const port = agentPort(node);
  if (port === undefined) return [];
  const next = node.portainer?.agent.next;
  const agents: [string, number][] = [[AGENT_CONTAINER, port]];
  if (next) agents.push([NEXT_AGENT_CONTAINER, next.port]);
  return agents;
}

/** Ports at which Portainer reaches agents of the node. */
export const agentPorts = (node: NodeConfig): number[] =>
  reachedAgents(node).map(([, port]) => port);

/** URL of the Portainer agent, if Portainer reaches it. The certificate is self-signed (the agent makes it at start). */
export const agentUrl = (node: NodeConfig): string | undefined => urlOf("https", node);

/** URL at which the node's agent reaches Portainer; undefined where Portainer reaches the agent. */
export const edgeUrl = ({ portainer }: NodeConfig): string | undefined =>
  portainer?.edge && (portainer.edge.url ?? portainer.environment?.url);

/** URL of the node's environment as Portainer takes it: the agent's, or the one at which the agent reaches Portainer. */
export const environmentUrl = (node: NodeConfig): string | undefined =>
  urlOf("tcp", node) ?? edgeUrl(node);

function urlOf(scheme: string, node: NodeConfig): string | undefined {
  const port = agentPort(node);
  const address = addressOf(node.network.address);
  return port === undefined ? undefined : `${scheme}://${address}:${port}`;
}

/** Name of a node's environment in Portainer. */
export const environmentName = (name: string, { portainer }: NodeConfig): string =>
  portainer?.environment?.name ?? name;

/** The node with the agent that has the next secret in the place of its agent; undefined unless that is declared. */
export function withNextAgent(name: string, node: NodeConfig): NodeConfig | undefined {
  const { portainer, adopt } = node;
  const next = portainer?.agent.next;
  if (!portainer || !next) return undefined;
  const shown = `${environmentName(name, node)} (next)`;
  const environment = portainer.environment && { ...portainer.environment, name: shown };
  return {
    ...node,
    adopt: { ...adopt, agent: undefined },
    portainer: {
      ...portainer,
      agent: { ...portainer.agent, port: next.port, next: undefined },
      environment,
    },
  };
}
