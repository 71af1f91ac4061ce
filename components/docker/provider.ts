import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dockerHostUrl, sshOptions } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import type { DockerHost } from "./docker-host";

/**
 * The host key comes out of the Docker host, so the provider is unknown until the daemon runs: a preview of an
 * empty stack never dials (pulumi-docker#139), and DOCKER_HOST is never read. An adopted machine has a
 * daemon already: with its host key declared, the preview reads what is there and shows what would change.
 */
export function createProvider(
  name: string,
  node: NodeConfig,
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
  return new docker.Provider(
    `${name}-docker`,
    { host: dockerHostUrl(node), sshOpts },
    { parent, dependsOn: [dockerHost] },
  );
}
