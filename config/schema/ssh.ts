import { z } from "zod";
import { hostName, keyFile } from "../text";
import { hostKey, port, publicKey, userName } from "./fields";

/** `ssh` of a node. */
export const sshSchema = z.strictObject({
  user: userName.default("ubuntu"),
  publicKeys: z.array(publicKey).min(1).describe("Put into authorized_keys by cloud-init."),
  privateKeyFile: keyFile.describe(
    "File with the private key on the workstation; `~` is the home directory.",
  ),
  endpoint: z
    .strictObject({ host: hostName, port })
    .optional()
    .describe(
      "Reach the node by another address, as through a forwarded port. Default: its own, port 22.",
    ),
  hostKey: hostKey
    .optional()
    .describe(
      "The node's host key when it is known beforehand. Default: learned at the first connection, then pinned.",
    ),
});
