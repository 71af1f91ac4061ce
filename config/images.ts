import { BACKUP_CONTAINER } from "./backups";
import { CADVISOR_CONTAINER, PROXY_CONTAINER } from "./monitoring";
import { AGENT_CONTAINER, NEXT_AGENT_CONTAINER } from "./portainer";
import type { NodeConfig } from "./schema";

/* Where the images come from that a node's containers run. */

/** An image of the configuration. */
export interface DeclaredImage {
  /** Its key below the node; parts with `/` between them. */
  readonly path: string;
  readonly image: string;
  /** Container that runs it. */
  readonly container: string;
}

/** Every image that a node declares. */
export function declaredImages(node: NodeConfig): DeclaredImage[] {
  const { portainer, backups, monitoring, workloads } = node;
  const imageAt = (path: string, container: string, image?: string): DeclaredImage[] =>
    image === undefined ? [] : [{ path, image, container }];
  return [
    ...imageAt("portainer/agent/image", AGENT_CONTAINER, portainer?.agent.image),
    ...imageAt(
      "portainer/agent/image",
      NEXT_AGENT_CONTAINER,
      portainer?.agent.next && portainer.agent.image,
    ),
    ...imageAt("backups/image", BACKUP_CONTAINER, backups?.image),
    ...imageAt("monitoring/cadvisor/image", CADVISOR_CONTAINER, monitoring?.cadvisor?.image),
    ...imageAt(
      "monitoring/cadvisor/proxy/image",
      PROXY_CONTAINER,
      monitoring?.cadvisor?.proxy.image,
    ),
    ...Object.entries(workloads).flatMap(([name, { image }]) =>
      imageAt(`workloads/${name}/image`, name, image),
    ),
  ];
}

/** Whether an image comes from a registry, or from a part of it, such as `docker.io/portainer`. */
export function isFrom(registry: string, image: string): boolean {
  return `${repositoryOf(image)}/`.startsWith(`${registry}/`);
}

/**
 * Name of an image with its registry, without tag and digest. What names no registry is Docker Hub's, and there what has no
 * owner is `library`'s (distribution/reference, normalize.go).
 */
function repositoryOf(image: string): string {
  const name = withoutVersion(image);
  const [first = "", ...rest] = name.split("/");
  if (rest.length === 0) return `docker.io/library/${name}`;
  return isRegistry(first) ? name : `docker.io/${name}`;
}

/** Host of an image's registry, as names have it. */
export const hostOf = (image: string): string => repositoryOf(image).split("/")[0] ?? "";

/** Name of an image as it is declared, without tag and digest. */
export const withoutVersion = (image: string): string =>
  image.replace(/@.*$/, "").replace(/:[^:/]*$/, "");

/** Whether the first part of a name is a host. */
export const isRegistry = (part: string): boolean => /[.:]/.test(part) || part === "localhost";
