import { z } from "zod";
import { httpUrl, oneLine } from "../text";
import { address, fingerprint, pinnedImage, port } from "./fields";

const words = oneLine.min(1);

const certificate = z
  .string()
  .regex(/^-----BEGIN CERTIFICATE-----\n[^]+-----END CERTIFICATE-----\s*$/, {
    error: "a certificate as PEM text, from -----BEGIN CERTIFICATE----- on",
  });

/** The node in Portainer's list. */
const environmentSchema = z
  .strictObject({
    url: httpUrl("https").describe("Portainer, as the workstation reaches it."),
    fingerprint: fingerprint
      .optional()
      .describe("SHA-256 of its certificate; no other is accepted. For a self-signed one."),
    caCertificate: certificate
      .optional()
      .describe("The one authority, as PEM, that may have signed its certificate."),
    name: words.optional().describe("Its name in Portainer. Default: the node's."),
    group: words
      .optional()
      .describe("Its group, made when missing. Default: as it is; a new one is in none."),
    tags: z
      .array(words)
      .optional()
      .describe("Its tags, made when missing. Default: as they are; a new one has none."),
    retainOnDelete: z
      .boolean()
      .default(false)
      .describe("Leave it in Portainer when it is taken out here; Portainer is not asked then."),
  })
  .refine((it) => !(it.fingerprint && it.caCertificate), {
    error: "fingerprint or caCertificate, not both",
  });

/** `portainer` of a node: its agent. */
export const portainerSchema = z.strictObject({
  server: address.describe("Address of the Portainer server; only it may reach the agent."),
  agent: z.strictObject({
    image: pinnedImage,
    port: port.default(9001),
    logLevel: z.enum(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"),
  }),
  environment: environmentSchema
    .optional()
    .describe("Have the node in Portainer's list, through its API."),
});
