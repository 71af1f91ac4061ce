import { z } from "zod";
import { httpUrl, oneLine } from "../text";
import { address, certificate, fingerprint, pinnedImage, port } from "./fields";

const words = oneLine.min(1);

/** The node in Portainer's list. */
const environmentSchema = z
  .strictObject({
    url: httpUrl("https").describe("Portainer, as the workstation reaches it."),
    fingerprint: fingerprint
      .optional()
      .describe(
        "SHA-256 of its certificate, if that is self-signed. No other certificate is accepted.",
      ),
    caCertificate: certificate
      .optional()
      .describe(
        "Certificate (PEM) of the authority that signed its certificate; no other authority is accepted.",
      ),
    name: words.optional().describe("Its name in Portainer. Default: the node's."),
    group: words
      .optional()
      .describe(
        "Its group, made if it does not exist. Default: an existing environment keeps its group, a new one has none.",
      ),
    tags: z
      .array(words)
      .optional()
      .describe(
        "Its tags, made if they do not exist. Default: an existing environment keeps its tags, a new one has none.",
      ),
    retainOnDelete: z
      .boolean()
      .default(false)
      .describe(
        "Keep the environment in Portainer when it is removed here. Portainer is not contacted then.",
      ),
  })
  .refine((it) => !(it.fingerprint && it.caCertificate), {
    error: "fingerprint or caCertificate, not both",
  });

/** How the agent reaches Portainer. `EDGE_ASYNC` is left out: only the Business Edition has it, and no live view then. */
const edgeSchema = z.strictObject({
  url: httpUrl("https")
    .optional()
    .describe("Portainer, as the node reaches it. Default: `environment.url`."),
  insecurePoll: z
    .boolean()
    .default(false)
    .describe(
      "Accept any certificate of Portainer (`EDGE_INSECURE_POLL`). Better: `environment.caCertificate`, which the agent then trusts alone.",
    ),
  checkinSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe("Seconds between two polls. Default: Portainer's setting, which is 5 at first."),
});

/** `portainer` of a node: its agent. */
export const portainerSchema = z.strictObject({
  server: address.describe("Address of the Portainer server; only it may reach the agent."),
  agent: z.strictObject({
    image: pinnedImage,
    port: port.default(9001),
    next: z
      .strictObject({ port: port.default(9002) })
      .optional()
      .describe(
        "A second agent, with the secret `agentSecretNext`, and an environment of its own, while Portainer's secret is rotated (docs/how-to/register-in-portainer.md).",
      ),
    logLevel: z.enum(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"),
  }),
  environment: environmentSchema
    .optional()
    .describe("Registers the node in Portainer, through its API."),
  edge: edgeSchema
    .optional()
    .describe(
      "The agent reaches Portainer, on ports 9443 and 8000, and nothing reaches the agent: no port is opened. Needs `environment`, whose key the agent gets. Default: Portainer reaches the agent.",
    ),
});
