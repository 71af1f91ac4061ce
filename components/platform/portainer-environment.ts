import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { edgeUrl, environmentName, environmentUrl } from "../../config/portainer";
import type { EnvironmentConfig, NodeConfig } from "../../config/schema";
import { nameResource } from "../../config/names";
import { runModule } from "../shared/workstation";
import { edgeKeyIn, type EdgeKey, type Printed } from "./portainer-edge";

/** What the registration in Portainer needs. */
export interface EnvironmentArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Access token of Portainer's API; required when the node has an environment there. */
  portainerApiKey?: pulumi.Input<string>;
  /**
   * URL of another agent of the node, which Portainer is given first. Portainer asks an agent before it makes an environment, and
   * this one would not understand it yet.
   */
  through?: string;
  /** The agent, if Portainer reaches it: it is asked when the environment is created. */
  agent?: pulumi.Resource;
}

/** The node in Portainer's list. */
export interface EnvironmentOutputs {
  id: pulumi.Output<number>;
  name: string;
  /** URL of Portainer. */
  server: string;
}

/** The environment, and what its agent needs to reach Portainer, if it is to. */
export interface RegisteredEnvironment {
  outputs: EnvironmentOutputs;
  edge?: EdgeKey;
}

const COMMANDS = {
  create: runModule("portainer-environment", "apply"),
  delete: runModule("portainer-environment", "remove"),
  logging: command.local.Logging.Stderr,
};

/**
 * Registers the node in Portainer, through its API from the workstation (`commands/portainer`). A change updates the
 * environment; it is removed before an agent that Portainer reaches, and after one that reaches Portainer. Undefined if none is
 * declared. It is not `deletedWith` the machine, because Portainer would keep it then.
 */
export function registerEnvironment(
  name: string,
  { agent, ...args }: EnvironmentArgs,
  opts: pulumi.CustomResourceOptions,
): RegisteredEnvironment | undefined {
  const { node } = args;
  const environment = node.portainer?.environment;
  if (!environment) return undefined;
  if (!args.portainerApiKey)
    throw new pulumi.RunError(`${name}: portainer.environment needs portainerApiKey`);
  const { url: server, retainOnDelete } = environment;
  const shown = environmentName(name, node);
  const registered = new command.local.Command(
    nameResource(name, "environment"),
    { ...COMMANDS, environment: variablesFor(shown, environment, args) },
    { ...opts, ...orderOf(node, agent), retainOnDelete, customTimeouts: LIMITS },
  );
  const printed = registered.stdout.apply((text) => JSON.parse(text) as Printed);
  const id = pulumi.unsecret(printed.apply((one) => one.id));
  const edge = edgeUrl(node) ? edgeKeyIn(printed) : undefined;
  return { outputs: { id, name: shown, server }, edge };
}

/** An agent that Portainer reaches comes first; one that reaches Portainer waits for the key, which is in the output. */
const orderOf = (node: NodeConfig, agent?: pulumi.Resource): pulumi.CustomResourceOptions =>
  edgeUrl(node) ? { additionalSecretOutputs: ["stdout"] } : { dependsOn: agent ?? [] };

/** Time limits. The command makes a few requests, and Portainer may take a minute for each. */
const LIMITS = { create: "5m", update: "5m", delete: "5m" };

function variablesFor(
  name: string,
  { url: server, fingerprint, caCertificate, group, tags }: EnvironmentConfig,
  { node, portainerApiKey: apiKey = "", through }: EnvironmentArgs,
): Record<string, pulumi.Input<string>> {
  const url = environmentUrl(node);
  const edge = node.portainer?.edge && { checkinSeconds: node.portainer.edge.checkinSeconds };
  return {
    PORTAINER_URL: server,
    PORTAINER_API_KEY: pulumi.secret(apiKey),
    ...(fingerprint ? { PORTAINER_FINGERPRINT: fingerprint } : {}),
    ...(caCertificate ? { PORTAINER_CA: caCertificate } : {}),
    PORTAINER_ENVIRONMENT: JSON.stringify({
      ...{ name, url, through, edge, group, tags },
      docker: node.engine.version,
    }),
  };
}
