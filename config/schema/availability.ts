import { z } from "zod";
import { identifier } from "./fields";

/** What Proxmox does with a machine whose Proxmox node fails. */
export const availabilitySchema = z.strictObject({
  maxRestart: z.int().min(0).max(100).default(1).describe("Starts on the same Proxmox node."),
  maxRelocate: z.int().min(0).max(100).default(1).describe("Moves to another one, after that."),
  nodes: z
    .record(identifier, z.int().min(0).max(1000))
    .refine((nodes) => Object.keys(nodes).length > 0, { error: "at least one Proxmox node" })
    .optional()
    .describe(
      "Proxmox nodes where the VM should run, with priorities: it goes to the highest. Default: any. Proxmox VE 9 and newer.",
    ),
  strict: z.boolean().default(false).describe("Run on none but `nodes`."),
});

/** Copies of a machine's disks on another Proxmox node. */
export const replicationSchema = z.strictObject({
  target: identifier.describe(
    "Proxmox node that gets the copies. Proxmox turns the direction round when the VM moves there.",
  ),
  schedule: z
    .string()
    .regex(/^[\w*/,.: -]+$/, { error: 'a calendar event of Proxmox, such as "*/15" or "02:30"' })
    .default("*/15")
    .describe("When, as a calendar event of Proxmox: `*/15` is every quarter of an hour."),
  maxMBps: z.number().min(1).optional().describe("Megabytes per second. Default: no limit."),
});
