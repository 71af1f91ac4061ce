import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import type { MachineConfig } from "../../config/schema";

/** A cloud image on a Proxmox datastore, and the node that downloads it. */
export interface CloudImageArgs {
  /** Proxmox node that does the download. */
  proxmoxNode: string;
  /** Source, checksum and destination. */
  image: CloudImageConfig;
}

type CloudImageConfig = Extract<NonNullable<MachineConfig["image"]>, { url: string }>;

/**
 * Downloads a cloud image to a Proxmox datastore, checksum verified by Proxmox itself. Machines on the
 * same Proxmox node share it.
 */
export class CloudImage extends pulumi.ComponentResource {
  /** Volume id, such as `local:import/noble.qcow2`: what a disk imports from. */
  readonly volumeId: pulumi.Output<string>;

  constructor(name: string, args: CloudImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:CloudImage", name, {}, opts);
    const file = createDownload(name, args, this);
    this.volumeId = file.id;
    this.registerOutputs({ volumeId: this.volumeId });
  }
}

/** Key under which machines share an image; an adopted machine needs none. */
export function imageKey(machine: MachineConfig): string | undefined {
  const { image, proxmoxNode, adopt } = machine;
  return image && "url" in image && !adopt
    ? `${image.node ?? proxmoxNode}-${image.datastore}-${image.fileName}`
    : undefined;
}

function createDownload(
  name: string,
  { proxmoxNode, image }: CloudImageArgs,
  parent: pulumi.Resource,
): proxmox.download.File {
  return new proxmox.download.File(
    `${name}-file`,
    {
      nodeName: proxmoxNode,
      datastoreId: image.datastore,
      contentType: "import",
      fileName: image.fileName,
      url: image.url,
      checksum: image.sha256,
      checksumAlgorithm: "sha256",
      // The checksum names the content; comparing sizes with the server on every refresh adds nothing.
      overwrite: false,
      overwriteUnmanaged: false,
    },
    { parent, customTimeouts: { create: "30m" } },
  );
}
