import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { nameResource } from "../../config/names";
import { isRemapped } from "../../config/outside";
import { bind } from "../../node/steps";
import { livesOn } from "../shared/lifetime";
import type { DockerHost } from "./docker-host";
import type { ImageScans } from "./image-scan";
import { runNodeScript } from "./node-script";

/** What the images of a node depend on. */
export interface ImagesArgs {
  /** The node, as configured. */
  readonly node: NodeConfig;
  /** The machine whose Docker has the images. */
  readonly machine: pulumi.Resource;
  readonly dockerHost: DockerHost;
  /** What has to let an image through before it is pulled. */
  readonly scans: ImageScans;
}

/** Seconds the whole image may take to be read. */
const SEAL_SECONDS = 600;

/**
 * The images of a node's containers. They do not wait for one another, and every container waits for all of them: what
 * cannot be pulled stops no container.
 */
export class Images {
  private readonly all: pulumi.Resource[] = [];

  /** All of the node's, to depend on. The node declares them without waiting for anything, so they are complete after that. */
  readonly pulled: Promise<pulumi.Resource[]> = Promise.resolve().then(() => this.all);

  constructor(private readonly args: ImagesArgs) {}

  /**
   * Declares an image to pull. It stays: another container or a recovery may use it, and a rollback then needs no download.
   *
   * @param container the one that runs it
   */
  pullImage(
    name: string,
    image: string,
    container: string,
    parent: pulumi.Resource,
  ): docker.RemoteImage {
    const { machine, scans } = this.args;
    const scan = scans[container];
    const pulled = new docker.RemoteImage(
      name,
      { name: image, keepLocally: true, triggers: this.pullAgain() },
      {
        ...{ parent, customTimeouts: { create: "15m" }, ...livesOn(machine) },
        ...(scan && { dependsOn: [scan] }),
      },
    );
    this.all.push(pulled);
    return pulled;
  }

  /**
   * As `pullImage`, for a container outside the user namespace. Its layers are closed to the remapped root and compared with their
   * digests (node/image-seal.sh) before any container is made.
   */
  pullOutside(...pull: Parameters<Images["pullImage"]>): docker.RemoteImage {
    const [name, , , parent] = pull;
    const { node, machine, dockerHost } = this.args;
    const pulled = this.pullImage(...pull);
    if (!isRemapped(node)) return pulled;
    const { connection } = dockerHost;
    const { variables: limits, ...step } = bind("image-seal", {}, SEAL_SECONDS, { wait: 1800 });
    const variables = pulled.imageId.apply((IMAGE) => ({ ...limits, IMAGE }));
    const run = { ...step, variables, connection, machine };
    this.all.push(runNodeScript(nameResource(name, "seal"), run, { parent }));
    return pulled;
  }

  /** Where a change of Docker's layout may hide the images, they are pulled again after it. */
  private pullAgain(): pulumi.Input<Record<string, pulumi.Input<string>>> | undefined {
    const { node, dockerHost } = this.args;
    if (node.engine.confirm !== "hide-existing") return undefined;
    return { dockerRootDir: dockerHost.facts.dockerRootDir };
  }
}
