import type * as pulumi from "@pulumi/pulumi";
import type { DockerHost } from "../docker/docker-host";
import type { ImageScans } from "../docker/image-scan";
import type { Images } from "../docker/images";

/** What a container of the program is made of. */
export interface Parts {
  readonly dockerHost: DockerHost;
  readonly machine: pulumi.Resource;
  readonly images: Images;
  readonly scans: ImageScans;
}
