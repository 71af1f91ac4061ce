import type * as pulumi from "@pulumi/pulumi";
import type { DockerHost } from "../docker/docker-host";
import type { Repairs } from "../docker/node-script";
import type { Images } from "../docker/images";

/** What a container of the program is made of. */
export interface Parts {
  readonly dockerHost: DockerHost;
  readonly machine: pulumi.Resource;
  readonly images: Images;
  /** What makes steps run again, to repair the node. */
  readonly repairs?: Repairs;
}
