import * as pulumi from "@pulumi/pulumi";
import { edgeUrl } from "../../config/node";
import { PortainerAgent, type PortainerAgentArgs } from "./portainer-agent";
import {
  registerEnvironment,
  type EnvironmentArgs,
  type EnvironmentOutputs,
} from "./portainer-environment";

/** What agent and environment are made of. */
export interface PortainerArgs
  extends
    Omit<PortainerAgentArgs, "portainer" | "secret" | "edge">,
    Omit<EnvironmentArgs, "agent"> {
  /** Secret shared with Portainer; required when the node has an agent. */
  agentSecret?: pulumi.Input<string>;
}

/** A node's side of Portainer. */
export interface PortainerParts {
  agent?: PortainerAgent;
  environment?: EnvironmentOutputs;
}

/**
 * The agent and the environment in Portainer, as far as they are declared. Portainer asks the agent when it makes the environment, so
 * the agent comes first; an agent that reaches Portainer needs the key of the environment, so that comes first.
 */
export function createPortainer(
  name: string,
  args: PortainerArgs,
  opts: pulumi.ComponentResourceOptions,
): PortainerParts {
  const { node, agentSecret: secret } = args;
  const { portainer } = node;
  if (!portainer) return {};
  if (!secret) throw new pulumi.RunError(`${name}: a node with portainer needs agentSecret`);
  const createAgent = (edge?: PortainerAgentArgs["edge"]): PortainerAgent =>
    new PortainerAgent(`${name}-agent`, { ...args, portainer, secret, edge }, opts);
  const registerWith = (agent?: PortainerAgent) =>
    registerEnvironment(name, { ...args, agent }, { parent: opts.parent });
  if (edgeUrl(node)) {
    const { outputs: environment, edge } = registerWith() ?? {};
    return { agent: createAgent(edge), environment };
  }
  const agent = createAgent();
  return { agent, environment: registerWith(agent)?.outputs };
}
