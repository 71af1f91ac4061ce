import type { NodeConfig } from "./schema";

/* What a node's registries are for: credentials for pulls, and authorities that dockerd trusts. */

type WithRegistries = Pick<NodeConfig, "registries">;

/** Docker Hub, as names of images have it. */
export const DOCKER_HUB = "docker.io";

/** Host of its registry. The provider looks up by it an image that names no registry (resource_docker_image_funcs.go). */
export const HUB_SERVER = "registry-1.docker.io";

/** Name of the secret that holds a registry's password. A colon would end a namespace of Pulumi. */
export function passwordName(host: string): string {
  return `registryPassword-${host.replace(":", "_")}`;
}

/** The registries of a node that want a user, and the names by which the provider looks one up. */
export function loginsOf({
  registries,
}: WithRegistries): { host: string; username: string; addresses: readonly string[] }[] {
  return Object.entries(registries).flatMap(([host, { username }]) => {
    if (username === undefined) return [];
    return [{ host, username, addresses: host === DOCKER_HUB ? [host, HUB_SERVER] : [host] }];
  });
}

/**
 * Certificates of authorities by host, as dockerd looks for them. With the containerd image store it asks a mirror by what it
 * trusts for Docker Hub (moby, daemon/hosts.go, mergeLegacyConfig); otherwise it trusts nothing more for Docker Hub
 * (daemon/pkg/registry/service_v2.go).
 */
export function authoritiesOf(
  node: WithRegistries & Pick<NodeConfig, "engine">,
): Map<string, string> {
  const own = Object.entries(node.registries).flatMap(([host, { caCertificate }]) =>
    caCertificate === undefined ? [] : [[host, caCertificate.trim()] as const],
  );
  const mirrors = (node.engine.daemon["registry-mirrors"] ?? []).map((url) => new URL(url).host);
  const ofHub = own.filter(([host]) => mirrors.includes(host)).map(([, text]) => text);
  return new Map([...own, ...(ofHub.length > 0 ? [[DOCKER_HUB, ofHub.join("\n")] as const] : [])]);
}
