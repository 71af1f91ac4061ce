import { bind, type Script } from "./steps";

/** Where a node keeps what the image of a container is made of; the backup of the configuration has its folder. */
export const sbomFile = (container: string): string => `/etc/docker/sbom/${container}.cdx.json`;

export function imageSbomStep(container: string): Script {
  return bind("image-sbom", { CONTAINER: container }, 180, { wait: 1800 });
}
