import { z } from "zod";
import { hostName, LABEL } from "../text";
import { certificate, port } from "./fields";

const HOST = `(?=.{1,253}(:|$))${LABEL}(\\.${LABEL})*`;

/** Names of Docker Hub that are no part of an image's name. */
const HUB = "(registry-1|index)\\.docker\\.io(:|$)";

/**
 * A registry as the names of its images begin: with a dot or a port in it, or `localhost`. Without, Docker takes it for a
 * path on Docker Hub (distribution/reference, normalize.go).
 */
export const registryHost = z
  .string()
  .regex(new RegExp(`^(?=.*[.:]|localhost$)(?!${HUB})${HOST}(:\\d{1,5})?$`), {
    error:
      "a registry's host or host:port as the names of its images begin, such as registry.example.org:5000, without scheme and path; Docker Hub is docker.io",
  })
  .refine((host) => Number(host.split(":")[1] ?? 443) <= 65535, { error: "a port up to 65535" });

/** One of `registries` of a node. */
export const registrySchema = z.strictObject({
  username: z
    .string()
    .regex(/^[^:\n]+$/, { error: "a user name on one line, without a colon (RFC 7617)" })
    .optional()
    .describe("User for pulls. The password is the secret `registryPassword-<host>`."),
  caCertificate: certificate
    .optional()
    .describe(
      "Certificate (PEM) of the authority that signed its certificate, or several of them. The node trusts it for this registry, beside the authorities that it trusts anyway.",
    ),
  endpoint: z
    .strictObject({ host: hostName, port })
    .optional()
    .describe("The registry as the workstation reaches it, if that differs."),
});
