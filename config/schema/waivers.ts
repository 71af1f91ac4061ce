import { z } from "zod";
import { oneLine } from "../text";
import { VULNERABILITY } from "../vulnerabilities";
import { WAIVABLE_IDS } from "../waivers/table";
import { dockerName, hostLabel } from "./fields";

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** A day. Without quotes, YAML reads it as a time, and Pulumi passes that time as Go prints it. */
const day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}(T00:00:00Z| 00:00:00 \+0000 UTC)?$/, {
    error: 'a day, such as "2027-05-31"',
  })
  .transform((text) => text.slice(0, 10))
  .refine(isDay, { error: 'a day of the calendar, such as "2027-05-31"' });

function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return DAY.test(text) && !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

const words = oneLine.min(1).max(500);

/** One of `waivers`. */
const waiverSchema = z.strictObject({
  id: z.enum(WAIVABLE_IDS).describe("What is waived; docs/reference/security.md lists the ids."),
  node: hostLabel
    .or(z.literal("all"))
    .describe("Node that the waiver is for. `all` means every node, or the whole stack."),
  container: dockerName
    .optional()
    .describe("Container that the waiver is for. Default: every container of the node."),
  vulnerability: z
    .string()
    .regex(VULNERABILITY, { error: "the id of a vulnerability, such as CVE-2026-12345" })
    .optional()
    .describe("With id `image-vulnerability`: the vulnerability's own id."),
  image: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._:/-]*$/, {
      error: "an image's name as the node has it, without version and digest",
    })
    .optional()
    .describe(
      "With id `image-vulnerability`: the image that has it, without version and digest, such as docker.io/portainer/agent.",
    ),
  reason: words.describe("Why the node needs it."),
  control: words.describe("What protects the node instead."),
  owner: words.describe("Who answers for it."),
  expires: day.describe("Last day it holds, a year from now at the latest."),
});

/** `waivers` of a stack. */
export const waiversSchema = z.array(waiverSchema);

/** A weak value or a finding that an owner accepts until a date. */
export type Waiver = z.infer<typeof waiverSchema>;
