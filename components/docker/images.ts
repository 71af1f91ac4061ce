import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { livesOn } from "../shared/lifetime";

/**
 * The images of a node's containers. They do not wait for one another, and every container waits for all of them: what
 * cannot be pulled stops no container.
 */
export class Images {
  private readonly all: docker.RemoteImage[] = [];

  /** All of the node's, to depend on. The node declares them without waiting for anything, so they are complete after that. */
  readonly pulled: Promise<pulumi.Resource[]> = Promise.resolve().then(() => this.all);

  /** Declares an image to pull. It stays: another container or a recovery may use it, and a rollback then needs no download. */
  pullImage(
    name: string,
    image: string,
    machine: pulumi.Resource,
    parent: pulumi.Resource,
  ): docker.RemoteImage {
    const pulled = new docker.RemoteImage(
      name,
      { name: image, keepLocally: true },
      { parent, customTimeouts: { create: "15m" }, ...livesOn(machine) },
    );
    this.all.push(pulled);
    return pulled;
  }
}
