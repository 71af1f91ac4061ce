import { z } from "zod";
import { isRegistry } from "../images";
import { httpUrl } from "../text";
import { SEVERITIES } from "../vulnerabilities";
import { certificate } from "./fields";

const registry = z
  .string()
  .regex(/^[a-z0-9.-]+(:\d{1,5})?(\/[a-z0-9._-]+)*$/, {
    error: "a registry, or a part of one, such as registry.example.org:5000 or docker.io/portainer",
  })
  .refine((name) => isRegistry(name.split("/")[0] ?? ""), {
    error: "a name that begins with the registry's host, such as docker.io/portainer",
  });

/** A database of Trivy's, which is an artifact in a registry. */
const database = z
  .string()
  .regex(/^[a-z0-9.-]+(:\d{1,5})?(\/[a-z0-9._-]+)+:[\w][\w.-]*$/, {
    error:
      "a repository in a registry with a tag, such as registry.example.org/platform/trivy-db:2",
  })
  .refine((name) => isRegistry(name.split("/")[0] ?? ""), {
    error:
      "a name that begins with the registry's host, such as registry.example.org/platform/trivy-db:2",
  });

const serverSchema = z.strictObject({
  url: httpUrl("https").describe("Server, as the workstation reaches it."),
  caCertificate: certificate
    .optional()
    .describe("Certificate (PEM) of the authority that signed its certificate."),
});

/** `images.scan` of a node. */
export const scanSchema = z.strictObject({
  program: z
    .string()
    .regex(/^\/?[\w.+-]+(\/[\w.+-]+)*$/, {
      error: "the name of a program on the PATH, or its path, without spaces",
    })
    .default("trivy")
    .describe("Trivy on the workstation, 0.68 or later: a name on the PATH, or a path."),
  server: serverSchema
    .optional()
    .describe(
      "Trivy server that knows the vulnerabilities. The program on the workstation then reads the image and asks the server, with the secret `imageScannerToken`. Default: the program has a database of its own.",
    ),
  database: database
    .optional()
    .describe(
      "Where the program fetches the database of vulnerabilities, such as registry.example.org/platform/trivy-db:2. Credentials and authority are those of `registries`. Default: Trivy's own.",
    ),
  javaDatabase: database
    .optional()
    .describe(
      "The same for the database of Java archives, which only images with such archives need.",
    ),
  severity: z
    .enum(SEVERITIES)
    .default("HIGH")
    .describe("Vulnerabilities of this severity and above block an image."),
  unfixed: z
    .enum(["block", "allow"])
    .default("block")
    .describe("Whether a vulnerability blocks for which no package has a fix yet."),
  whenUnavailable: z
    .enum(["fail", "warn"])
    .default("fail")
    .describe(
      "What happens when an image cannot be scanned. `warn`: it runs, and `up` says that nobody has scanned it.",
    ),
});

/** `images` of a node. */
export const imagesSchema = z.strictObject({
  registries: z
    .array(registry)
    .min(1)
    .optional()
    .describe(
      "Registries, or parts of them, that images may come from. An image from elsewhere takes a waiver with id `image-registry`, and any registry one with id `image-registry-any`. Default: any registry.",
    ),
  scan: scanSchema
    .optional()
    .describe(
      "Scans every image for known vulnerabilities before it is pulled (docs/how-to/scan-images.md). No scan takes a waiver with id `image-scan-none`. Default: no image is scanned.",
    ),
});
