import { z } from "zod";
import { dockerName, hostLabel } from "./fields";

/* Where workloads of the stack run, and what nodes say about themselves for it. */

const labelName = z.string().regex(/^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/, {
  error: "a label's name: lower-case letters, digits and inner . _ / -, 63 of them at most",
});

/** Labels of a node, and those that a workload asks for. */
export const labelsSchema = z.record(labelName, z.string().min(1));

/** `drain` of a node. */
export const drainSchema = z.enum(["spread", "all"]);

/** `place` of a workload of the stack, or of a compose project. */
export const placeSchema = z.strictObject({
  node: hostLabel
    .optional()
    .describe("The node it runs on, and no other. Default: the program chooses."),
  labels: labelsSchema
    .default({})
    .describe("Labels that a node has to have. Default: any node will do."),
  replicas: z.int().min(1).max(1000).default(1).describe("Nodes that it runs on, once on each."),
  leaves: z
    .array(dockerName)
    .default([])
    .describe(
      "Volumes that may stay behind, with their data, on a node that it moves away from. A move that leaves another one is refused.",
    ),
});

/** `place` with its defaults. */
export type Place = z.infer<typeof placeSchema>;
