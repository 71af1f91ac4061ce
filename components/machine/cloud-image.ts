import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import { checksumOf } from "../../config/node";
import type { MachineConfig } from "../../config/schema";
import { nameResource } from "../../config/names";

/** A cloud image for a Proxmox datastore, and the Proxmox node that downloads it. */
export interface CloudImageArgs {
  /** Proxmox node that downloads it. */
  proxmoxNode: string;
  /** Source, checksum and destination. */
  image: CloudImageConfig;
}

type CloudImageConfig = Extract<NonNullable<MachineConfig["image"]>, { url: string }>;

/**
 * Downloads a cloud image to a Proxmox datastore. Proxmox verifies the checksum. Machines with the same image share the
 * download.
 */
export class CloudImage extends pulumi.ComponentResource {
  /** Volume id that a disk imports from, such as `local:import/noble.qcow2`. */
  readonly volumeId: pulumi.Output<string>;

  constructor(name: string, args: CloudImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:CloudImage", name, {}, opts);
    const file = createDownload(name, args, this);
    this.volumeId = file.id;
    this.registerOutputs({ volumeId: this.volumeId });
  }
}

/** Key of a machine's image; machines with the same key share it. Undefined if the machine needs no image. */
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
  const { kind, checksum } = checksumOf(image);
  return new proxmox.download.File(
    nameResource(name, "file"),
    {
      nodeName: proxmoxNode,
      datastoreId: image.datastore,
      contentType: "import",
      fileName: image.fileName,
      url: image.url,
      checksum,
      checksumAlgorithm: kind,
      // The checksum identifies the content, so no refresh has to compare its size with the server's.
      overwrite: false,
      overwriteUnmanaged: false,
    },
    { parent, customTimeouts: { create: "30m" } },
  );
}
