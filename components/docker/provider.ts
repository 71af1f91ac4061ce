import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { nameResource, PART } from "../../config/names";
import { dockerHostUrl, sshOptions } from "../../config/node";
import { loginsOf } from "../../config/registries";
import type { NodeConfig } from "../../config/schema";
import type { DockerHost } from "./docker-host";

/** Passwords of registries, by host. */
export type Passwords = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * The host key comes out of the Docker host, so the provider is unknown until the daemon runs: a preview of an
 * empty stack never dials (pulumi-docker#139), and DOCKER_HOST is never read. An adopted machine has a
 * daemon already: with its host key declared, the preview reads what is there and shows what would change.
 */
export function createProvider(
  name: string,
  node: NodeConfig,
  passwords: Passwords | undefined,
  dockerHost: DockerHost,
  parent: pulumi.Resource,
): docker.Provider {
  const { hostKey } = node.ssh;
  const sshOpts =
    node.machine.adopt && hostKey
      ? sshOptions(node, hostKey)
      : pulumi
          .all([dockerHost.hostKey, dockerHost.facts])
          .apply(([learned]) => sshOptions(node, learned));
  const registryAuth = registryCredentials(name, node, passwords);
  return new docker.Provider(
    nameResource(name, PART.docker),
    { host: dockerHostUrl(node), sshOpts, registryAuth },
    { parent, dependsOn: [dockerHost] },
  );
}

type Credentials = docker.types.input.ProviderRegistryAuth;

/**
 * Credentials for pulls. The provider sends them to dockerd with each pull; the node keeps none. They are no input of an
 * image, so another password changes the provider alone. Undefined without a user: then the provider has no such input.
 */
function registryCredentials(
  name: string,
  node: NodeConfig,
  passwords: Passwords = {},
): Credentials[] | undefined {
  const all = loginsOf(node).flatMap(({ host, username, addresses }) => {
    const password = passwords[host];
    if (!password) throw new pulumi.RunError(`${name}: registry ${host} needs a password`);
    return addresses.map((address) => ({ address, username, password: pulumi.secret(password) }));
  });
  return all.length > 0 ? all : undefined;
}
