import * as pulumi from "@pulumi/pulumi";
import {
  NEXT_AGENT_CONTAINER,
  edgeUrl,
  environmentUrl,
  withNextAgent,
} from "../../config/portainer";
import { nameResource, PART } from "../../config/names";
import type { DockerHost } from "../docker/docker-host";
import { PortainerAgent, type PortainerAgentArgs } from "./portainer-agent";
import {
  registerEnvironment,
  type EnvironmentArgs,
  type EnvironmentOutputs,
} from "./portainer-environment";

/** What agent and environment are made of. */
export interface PortainerArgs
  extends
    Pick<PortainerAgentArgs, "node" | "machine" | "images" | "container">,
    Omit<EnvironmentArgs, "agent"> {
  /** The node's Docker. */
  dockerHost: DockerHost;
  /** Secret shared with Portainer; required when the node has an agent. */
  agentSecret?: pulumi.Input<string>;
  /** The one that Portainer gets next; required when the node has an agent with it. */
  agentSecretNext?: pulumi.Input<string>;
}

/** A node's side of Portainer. */
interface PortainerParts {
  agent?: PortainerAgent;
  environment?: EnvironmentOutputs;
}

/** The agent and the environment in Portainer, as far as they are declared, and those with the next secret. */
export function createPortainer(
  name: string,
  args: PortainerArgs,
  opts: pulumi.ComponentResourceOptions,
): PortainerParts {
  const parts = createParts(name, args, opts);
  createNextParts(name, args, opts);
  return parts;
}

/**
 * Portainer asks the agent when it makes the environment, so the agent comes first; an agent that reaches Portainer needs the key of
 * the environment, so that comes first.
 */
function createParts(
  name: string,
  args: PortainerArgs,
  opts: pulumi.ComponentResourceOptions,
): PortainerParts {
  const { node, dockerHost, agentSecret: secret } = args;
  const { portainer } = node;
  if (!portainer) return {};
  if (!secret) throw new pulumi.RunError(`${name}: a node with portainer needs agentSecret`);
  const { connection, facts } = dockerHost;
  const host = { connection, dockerRootDir: facts.dockerRootDir };
  const agentName = nameResource(name, PART.agent);
  const createAgent = (edge?: PortainerAgentArgs["edge"]): PortainerAgent =>
    new PortainerAgent(agentName, { ...args, ...host, portainer, secret, edge }, opts);
  const registerWith = (agent?: PortainerAgent) =>
    registerEnvironment(name, { ...args, agent }, { parent: opts.parent });
  if (edgeUrl(node)) {
    const { outputs: environment, edge } = registerWith() ?? {};
    return { agent: createAgent(edge), environment };
  }
  const agent = createAgent();
  return { agent, environment: registerWith(agent)?.outputs };
}

/**
 * While Portainer's secret is rotated: an agent with the next secret beside the other one, and an environment for it. Portainer accepts
 * one secret at a time, so one of the two environments works before the change, and the other one after it.
 */
function createNextParts(
  name: string,
  args: PortainerArgs,
  opts: pulumi.ComponentResourceOptions,
): void {
  const node = withNextAgent(name, args.node);
  if (!node) return;
  const through = edgeUrl(node) ? undefined : environmentUrl(args.node);
  const own = { container: NEXT_AGENT_CONTAINER, agentSecret: args.agentSecretNext };
  createParts(nameResource(name, PART.next), { ...args, ...own, node, through }, opts);
}
