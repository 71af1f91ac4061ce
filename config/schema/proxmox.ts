import { z } from "zod";
import { httpUrl } from "../text";
import { backupStorageSchema } from "./backups";

/** How the program reaches Proxmox VE. */
export const proxmoxSchema = z.strictObject({
  endpoint: httpUrl("https"),
  insecure: z
    .boolean()
    .default(false)
    .describe("Accept a certificate that does not verify. For a self-signed lab only."),
  backupStorage: backupStorageSchema.optional(),
});
