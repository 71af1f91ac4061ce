/** Checks of the declared registries, and of every declared image in its registry. */
import {
  parseImage,
  askForImage,
  askRegistry,
  type Access,
  type Verdict,
} from "../../../clients/registry";
import { declaredImages } from "../../../config/images";
import { passwordName } from "../../../config/registries";
import type { NodeConfig } from "../../../config/schema";
import { secretOf, writeCommand } from "../../../config/secrets";
import { fail, nodesOf, pass, skip, warn } from "../types";
import type { Check, Context, Finding, NamedNode } from "../types";

/** A check of each registry, and of each image. */
export function registryChecks(context: Context): Check[] {
  return nodesOf(context).flatMap((node) => [...hostChecks(node), ...imageChecks(node)]);
}

function hostChecks([, node]: NamedNode): Check[] {
  return Object.keys(node.registries).map((host) => ({
    id: `registry:${host}`,
    title: "Registry",
    run: (context) => checkHost(node, host, context),
  }));
}

/** As a pull asks: with the credentials and the authority that are declared. */
async function checkHost(node: NodeConfig, host: string, context: Context): Promise<Finding> {
  const username = node.registries[host]?.username;
  const access = accessTo(node, host, context);
  if (username !== undefined && !access.login)
    return skip(`needs the secret ${passwordName(host)}`);
  try {
    return judge(await askRegistry(access), host, username, context.stack);
  } catch (error) {
    return makeUnreachable(host, error, `curl -I ${access.scheme}://${host}/v2/`);
  }
}

function judge(
  { status, challenged }: Verdict,
  host: string,
  username: string | undefined,
  stack: string,
): Finding {
  const { example } = secretOf("registryPassword-<host>");
  const set = writeCommand({ name: passwordName(host), example }, stack);
  if (status === 200 && !challenged) return pass(`${host} answers, and asks for no password`);
  if (status === 200) return pass(`${host} accepts ${username ?? "everybody"}`);
  if (![401, 403].includes(status))
    return warn(`${host} answers ${status}`, `curl -I https://${host}/v2/`);
  if (username !== undefined) return fail(`${host} does not accept ${username}: ${status}`, set);
  return warn(
    `${host} answers ${status}: it wants a user`,
    `set registries.${host}.username in Pulumi.${stack}.yaml; docs/how-to/use-a-private-registry.md`,
  );
}

/** A registry that has an image by its digest serves it to nodes. */
const imageChecks = ([, node]: NamedNode): Check[] =>
  declaredImages(node).map(({ image, container }) => ({
    id: `image:${image.split("@")[0] ?? image}`,
    title: `Image of ${container}`,
    run: (context) => checkImage(node, image, context),
  }));

async function checkImage(node: NodeConfig, image: string, context: Context): Promise<Finding> {
  const parsed = parseImage(image);
  const { host } = parsed;
  const name = image.split("@")[0] ?? image;
  const fix = `docker buildx imagetools inspect ${image}`;
  try {
    const { status } = await askForImage(parsed, accessTo(node, host, context));
    if (status === 200) return pass(`${name} is on ${host}`);
    return warn(`${host} answers ${status} for ${name}`, fix);
  } catch (error) {
    return makeUnreachable(host, error, fix);
  }
}

/** A warning and no failure: the node may reach a registry that the workstation does not. */
function makeUnreachable(host: string, error: unknown, fix: string): Finding {
  const { message, code } = error as NodeJS.ErrnoException;
  return warn(`${host} cannot be reached from here: ${message || (code ?? "")}`, fix);
}

function accessTo(node: NodeConfig, host: string, { configuration, patience }: Context): Access {
  const { username, caCertificate } = node.registries[host] ?? {};
  const password = configuration.registryPasswords?.[passwordName(host)];
  const plain = node.engine.daemon["insecure-registries"]?.includes(host) ?? false;
  const login = username !== undefined && password !== undefined;
  return {
    ...{ host, caCertificate, patience, scheme: plain ? "http" : "https" },
    ...(login && { login: { username, password } }),
  };
}
