import { z } from "zod";
import { hostName, keyFile } from "../text";
import { hostKey, port, publicKey, userName } from "./fields";

/** `ssh` of a node. */
export const sshSchema = z.strictObject({
  user: userName.default("ubuntu"),
  publicKeys: z.array(publicKey).min(1).describe("Keys that cloud-init puts into authorized_keys."),
  privateKeyFile: keyFile.describe(
    "File with the private key on the workstation; `~` is the home directory.",
  ),
  endpoint: z
    .strictObject({ host: hostName, port })
    .optional()
    .describe(
      "Another address that reaches the node, such as a forwarded port. Default: the node's address, port 22.",
    ),
  hostKey: hostKey
    .optional()
    .describe(
      "The node's host key, if it is known beforehand. Default: learned at the first connection, then pinned.",
    ),
});
