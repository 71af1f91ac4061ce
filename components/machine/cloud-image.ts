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

/**
 * Downloads of a machine's image, by their keys, the one first that its disk is made from; machines with the same key share it. None
 * if the machine needs no image.
 *
 * A machine that exists was made from its image and needs it no more, and may run on another Proxmox node by now, which then is the
 * declared one. So what the stack has downloaded for it stays as long as the machine declares it: a Proxmox node that is lost could
 * not delete it, and where Proxmox nodes share the datastore, the deletion of one would be that of the other.
 * @param downloaded Proxmox nodes that have downloaded the image, as the state says
 */
export function imagesOf(
  { image, proxmoxNode, adopt }: MachineConfig,
  downloaded: readonly string[] = [],
): readonly (readonly [key: string, image: CloudImageArgs])[] {
  if (!image || !("url" in image) || adopt) return [];
  const anywhere = downloaded.includes(proxmoxNode) ? proxmoxNode : downloaded[0];
  const nodes = image.node ? [image.node] : [anywhere ?? proxmoxNode, ...downloaded];
  return [...new Set(nodes)].map((node) => [
    `${node}-${image.datastore}-${image.fileName}`,
    { proxmoxNode: node, image },
  ]);
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
