/**
 * Checks of the servers that nodes talk to. The checks ask from the workstation, not from the node, so a server that
 * does not answer is only a warning.
 */
import { AnswerError } from "../../../clients/answer";
import { connect, findMisfit } from "../../../clients/portainer";
import { PortainerError } from "../../../clients/portainer-call";
import { secretOf, writeCommand } from "../../../config/secrets";
import {
  fail,
  nodesOf,
  pass,
  skip,
  warn,
  type Check,
  type Context,
  type Finding,
  type NamedNode,
} from "../types";
import { registryChecks } from "./registries";

/** Default port of Portainer's web interface (Portainer docs, "Install Portainer BE with Docker on Linux"). */
const PORTAINER_PORT = 9443;

/** Checks of the registries, the Portainer server and its API, each once. */
export function serviceChecks(context: Context): Check[] {
  const checks = [
    ...registryChecks(context),
    ...nodesOf(context).flatMap((node) => [...serverCheck(node), ...apiCheck(node)]),
  ];
  return [...new Map(checks.map((check) => [check.id, check])).values()];
}

function serverCheck([, { portainer }]: NamedNode): Check[] {
  if (!portainer) return [];
  const { server } = portainer;
  return [
    {
      id: `portainer:${server}`,
      title: "Portainer server",
      run: async ({ probe }) => {
        const outcome = await probe(server, PORTAINER_PORT);
        if (outcome === "open") return pass(`${server} answers on port ${PORTAINER_PORT}`);
        const what = outcome === "refused" ? "refuses connections" : "does not answer";
        const fix = `curl -kI https://${server}:${PORTAINER_PORT}/api/system/status`;
        return warn(`${server} ${what} on port ${PORTAINER_PORT}`, fix);
      },
    },
  ];
}

/** No answer is a failure here, because `up` registers the node from the workstation. */
function apiCheck([, node]: NamedNode): Check[] {
  const environment = node.portainer?.environment;
  if (!environment) return [];
  const docker = node.engine.version;
  const run = async ({ configuration, patience, stack }: Context): Promise<Finding> => {
    const { portainerApiKey: apiKey } = configuration;
    if (!apiKey) return skip("needs the secret portainerApiKey");
    const portainer = connect({ ...environment, apiKey, patience });
    try {
      const version = await portainer.version();
      const { length } = await portainer.environments();
      const unfit = findMisfit(docker, version);
      if (unfit) return fail(unfit, "update Portainer, then its agents");
      return pass(`Portainer ${version} accepts the key, ${length} environments`);
    } catch (error) {
      return explainFailure(error, environment.url, stack);
    }
  };
  const id = `portainer-api:${environment.url} for Docker ${docker}`;
  return [{ id, title: "Portainer API", run }];
}

function explainFailure(error: unknown, url: string, stack: string): Finding {
  if (error instanceof PortainerError && [401, 403].includes(error.status)) {
    return fail(error.message, writeCommand(secretOf("portainerApiKey"), stack));
  }
  if (error instanceof PortainerError || error instanceof AnswerError)
    return fail(error.message, `curl -kI ${url}/api/system/status`);
  throw error;
}
