import { z } from "zod";
import { httpUrl } from "../text";
import { availabilitySchema, replicationSchema } from "./availability";
import { identifier } from "./fields";

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "a SHA-256 checksum: 64 lower-case hex digits" });

const sha512 = z
  .string()
  .regex(/^[0-9a-f]{128}$/, { error: "a SHA-512 checksum: 128 lower-case hex digits" });

const cloudImage = z.strictObject({
  url: httpUrl().describe("Where Proxmox downloads the image from."),
  sha256: sha256
    .optional()
    .describe("Checksum of the image. Required, unless `sha512` has the other one."),
  sha512: sha512
    .optional()
    .describe("Checksum of the image in place of `sha256`, for vendors that publish this one."),
  datastore: identifier
    .default("local")
    .describe("Datastore with content type `import` that keeps the download."),
  fileName: z
    .string()
    .regex(/^\w[\w.-]*\.(qcow2|raw|vmdk)$/, {
      error: "a file name ending in .qcow2, .raw or .vmdk",
    })
    .describe(
      "File name on the datastore. Must end in .qcow2, .raw or .vmdk for content type `import`. Each stack that shares the datastore needs a name of its own: a file that another one has downloaded is refused.",
    ),
  node: identifier
    .optional()
    .describe(
      "Proxmox node that downloads it. Default: the one that runs the VM. If Proxmox nodes share the datastore, set the same one for all.",
    ),
});

const template = z.strictObject({
  template: z.int().min(100).max(999_999_999).describe("VM id of the template."),
  node: identifier
    .optional()
    .describe("Proxmox node that has the template. Default: the one that runs the VM."),
});

const disk = z.strictObject({
  sizeGiB: z.int().min(4).max(65536).describe("GiB, as Proxmox counts them."),
  datastore: identifier,
  aio: z
    .enum(["io_uring", "native", "threads"])
    .default("io_uring")
    .describe(
      "How QEMU reads and writes. With io_uring a disk may hang on a datastore of type lvm or cifs: take `native` there.",
    ),
});

const startup = z.strictObject({
  order: z.int().min(0).max(9999),
  upDelaySeconds: z.int().min(0).max(3600),
  downDelaySeconds: z.int().min(0).max(3600),
});

/** Starts late; nothing depends on it. */
export const DEFAULT_STARTUP = { order: 20, upDelaySeconds: 30, downDelaySeconds: 120 };

/** A tag as Proxmox keeps it: in lower case (pve-common, JSONSchema.pm, pve-tag). */
const tag = z.string().regex(/^[a-z0-9_][a-z0-9_+.-]*$/, {
  error:
    "a tag of lower-case letters, digits and _ + . -, which begins with none of the last three",
});

/** `machine` of a node. */
export const machineSchema = z.strictObject({
  vmId: z.int().min(100).max(999_999_999),
  proxmoxNode: identifier.describe("Proxmox node that runs the VM."),
  // Proxmox strips white space around the description.
  description: z.string().trim().max(8192).default(""),
  tags: z
    .array(tag)
    .refine((tags) => new Set(tags).size === tags.length, { error: "each tag once" })
    .default([]),
  cpu: z.strictObject({
    cores: z.int().min(1).max(128),
    type: z
      .string()
      .regex(/^\w[\w.+-]*$/, { error: "a QEMU CPU model, such as host or x86-64-v3" })
      .default("x86-64-v2-AES")
      .describe(
        "QEMU CPU model. The default runs on every x86-64 server since 2013 and permits live migration.",
      ),
  }),
  memoryGiB: z.number().min(0.5).max(4096).multipleOf(0.25),
  disk,
  dockerDisk: disk
    .optional()
    .describe(
      "A disk of its own for /var/lib/docker, formatted as XFS and mounted with project quotas.",
    ),
  image: z
    .union([cloudImage, template])
    .optional()
    .describe("Source of the VM's disk. Optional only with `adopt`."),
  onBoot: z.boolean().default(true),
  startup: startup.default(DEFAULT_STARTUP),
  agentTimeoutSeconds: z
    .int()
    .min(1)
    .max(900)
    .default(10)
    .describe(
      "Seconds that the provider waits for the guest agent. After that it goes on without it.",
    ),
  rebootAfterUpdate: z
    .boolean()
    .default(true)
    .describe("Let the provider reboot the VM if a change (CPU, memory) needs it."),
  highAvailability: availabilitySchema
    .optional()
    .describe(
      "Proxmox restarts the VM, on another Proxmox node if need be. Its disks have to be on shared datastores, or replicated.",
    ),
  replication: replicationSchema
    .optional()
    .describe("Copies the disks to another Proxmox node. They have to be on ZFS. Proxmox VE 9."),
  protect: z.boolean().default(true).describe("Refuse to delete the VM, in Pulumi and in Proxmox."),
  adopt: z
    .boolean()
    .default(false)
    .describe(
      "Adopt the existing VM with this id instead of creating one. Hardware that this configuration has no key for stays as it is.",
    ),
});
