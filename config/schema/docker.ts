import { z } from "zod";
import { DEFAULT_DAEMON, daemonSchema } from "../daemon";
import { httpUrl } from "../text";
import { userName } from "./fields";

/** `engine` of a node: the packages of Docker and its daemon. */
export const dockerSchema = z.strictObject({
  source: z
    .enum(["official", "distribution"])
    .default("official")
    .describe("`official`: Docker's apt repository. `distribution`: the docker.io package."),
  version: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){0,2}$/, {
      error: 'a release such as "29.10.0", or its beginning such as "29.10"',
    })
    .describe('Release, or its leading numbers: "29.10.0", "29.10". Packages are held at it.'),
  mirror: httpUrl().optional().describe("Base URL of a mirror of Docker's repository."),
  mirrorKey: z
    .string()
    .regex(/^[0-9A-F]{40}$/, {
      error: "the 40 digits, 0-9 and A-F, of a fingerprint, as `gpg --show-keys` prints them",
    })
    .optional()
    .describe("Fingerprint of the key that signs the mirror. Default: Docker's own key."),
  distributionMirror: httpUrl()
    .optional()
    .describe("Base URL of a mirror of the distribution's archive."),
  groupMembers: z
    .array(userName)
    .default([])
    .describe(
      "Members of the group docker in addition to the ssh user. Membership equals root (CIS Docker 1.1.2). They have to be users of the node; a new machine has none but the ssh user.",
    ),
  healthTimeoutSeconds: z
    .int()
    .min(5)
    .max(900)
    .default(120)
    .describe("Seconds the daemon has to answer after a change before the change is rolled back."),
  confirm: z
    .literal("hide-existing")
    .optional()
    .describe("Allow a change that hides existing images, containers or volumes."),
  daemon: daemonSchema.default(DEFAULT_DAEMON),
});
