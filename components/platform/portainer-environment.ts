import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { environmentUrl } from "../../config/node";
import type { EnvironmentConfig, NodeConfig } from "../../config/schema";

/** What the registration in Portainer needs. */
export interface EnvironmentArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Access token of Portainer's API; required when the node has an environment there. */
  portainerApiKey?: pulumi.Input<string>;
  /** The agent, if there is one. Portainer contacts it when the environment is created. */
  agent?: pulumi.Resource;
}

/** The node in Portainer's list. */
export interface EnvironmentOutputs {
  id: pulumi.Output<number>;
  name: string;
  /** URL of Portainer. */
  server: string;
}

/**
 * The command that the plugin runs in the project's directory. It finds the module by the package's name. So the text is
 * the same in a clone, in an installed package and on every workstation, and the state holds no path of a machine.
 */
const run = (operation: "apply" | "remove"): string =>
  `node -e "import('docker-node/portainer-environment')" ${operation}`;

/**
 * Registers the node in Portainer, through its API from the workstation (`commands/portainer`). A change updates the
 * environment; it is removed before the agent. Undefined if none is declared. It is not `deletedWith` the machine, because
 * Portainer would keep it then.
 */
export function registerEnvironment(
  name: string,
  { node, portainerApiKey: apiKey, agent }: EnvironmentArgs,
  opts: pulumi.CustomResourceOptions,
): EnvironmentOutputs | undefined {
  const environment = node.portainer?.environment;
  if (!environment || !agent) return undefined;
  if (!apiKey) throw new pulumi.RunError(`${name}: portainer.environment needs portainerApiKey`);
  const { url: server, retainOnDelete } = environment;
  const shown = environment.name ?? name;
  const registered = new command.local.Command(
    `${name}-environment`,
    {
      create: run("apply"),
      delete: run("remove"),
      environment: variablesFor(shown, node, environment, apiKey),
      logging: command.local.Logging.Stderr,
    },
    { ...opts, dependsOn: [agent], retainOnDelete, customTimeouts: LIMITS },
  );
  const id = registered.stdout.apply((text) => (JSON.parse(text) as { id: number }).id);
  return { id, name: shown, server };
}

/** Time limits. The command makes a few requests, and Portainer may take a minute for each. */
const LIMITS = { create: "5m", update: "5m", delete: "5m" };

function variablesFor(
  name: string,
  node: NodeConfig,
  { url: server, fingerprint, caCertificate, group, tags }: EnvironmentConfig,
  apiKey: pulumi.Input<string>,
): Record<string, pulumi.Input<string>> {
  const url = environmentUrl(node);
  return {
    PORTAINER_URL: server,
    PORTAINER_API_KEY: pulumi.secret(apiKey),
    ...(fingerprint ? { PORTAINER_FINGERPRINT: fingerprint } : {}),
    ...(caCertificate ? { PORTAINER_CA: caCertificate } : {}),
    PORTAINER_ENVIRONMENT: JSON.stringify({ name, url, group, tags, docker: node.engine.version }),
  };
}
