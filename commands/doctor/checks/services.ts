/** What nodes talk to: asked from here, so a silence is only a warning. */
import { headImage, parseImage } from "../../../clients/registry";
import {
  nodesOf,
  pass,
  warn,
  type Check,
  type Context,
  type Finding,
  type NamedNode,
} from "../types";

/** The port of Portainer's own interface (Portainer docs, "Install Portainer BE with Docker on Linux"). */
const PORTAINER_PORT = 9443;

/** Agent image and Portainer server, each once. */
export function serviceChecks(context: Context): Check[] {
  const checks = nodesOf(context).flatMap((node) => [...imageCheck(node), ...serverCheck(node)]);
  return [...new Map(checks.map((check) => [check.id, check])).values()];
}

function imageCheck([, { portainer, engine }]: NamedNode): Check[] {
  if (!portainer) return [];
  const { image } = portainer.agent;
  const { host } = parseImage(image);
  const plain = engine.daemon["insecure-registries"]?.includes(host) ?? false;
  const id = `image:${image.split("@")[0] ?? image}`;
  return [{ id, title: "Agent image", run: ({ patience }) => agentImage(image, plain, patience) }];
}

async function agentImage(image: string, plain: boolean, patience: number): Promise<Finding> {
  const parsed = parseImage(image);
  const name = image.split("@")[0] ?? image;
  const fix = `docker buildx imagetools inspect ${image}`;
  try {
    const status = await headImage(parsed, plain ? "http" : "https", patience);
    if (status === 200) return pass(`${name} is on ${parsed.host}`);
    return warn(`${parsed.host} answers ${status} for ${name}`, fix);
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { message?: string } };
    const reason = cause?.message ?? message;
    return warn(`${parsed.host} cannot be asked from here: ${reason}`, fix);
  }
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
        const what = outcome === "refused" ? "refuses" : "does not answer";
        const fix = `curl -kI https://${server}:${PORTAINER_PORT}/api/system/status`;
        return warn(`${server} ${what} on port ${PORTAINER_PORT}`, fix);
      },
    },
  ];
}
