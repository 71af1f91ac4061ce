import { z } from "zod";
import { exposureOf } from "./container-exposure";
import { declaredImages, hostOf, type DeclaredImage } from "./images";
import { AGENT_CONTAINER } from "./portainer";
import type { NodeConfig } from "./schema";
import { scanSchema } from "./schema/images";
import { registrySchema } from "./schema/registries";
import type { Waiver } from "./schema/waivers";
import { waivedIn } from "./waivers/vulnerabilities";

/** What is to be scanned, and how: the graph hands it to a program on the workstation. It holds no secret. */
export const scanRequest = z.strictObject({
  container: z.string(),
  image: z.string(),
  exposure: z.strictObject({ rank: z.int().max(4), words: z.array(z.string()) }),
  scan: scanSchema,
  /** Those of the image and of the databases, by host. */
  registries: z.record(z.string(), registrySchema),
  /** Ids of vulnerabilities that are waived. */
  waived: z.array(z.string()),
});

/** A request, parsed. */
export type ScanRequest = z.infer<typeof scanRequest>;

/** What a scan may need and nobody else may see. */
export interface ScanSecrets {
  /** Passwords of registries, by host. */
  readonly passwords: Readonly<Record<string, string>>;
  /** Token of the Trivy server. */
  readonly token?: string;
}

/** A request for each image of a node; none if its images are not scanned. */
export function scanRequests(
  name: string,
  node: NodeConfig,
  waivers: readonly Waiver[],
): ScanRequest[] {
  const scan = node.images?.scan;
  if (!scan) return [];
  return declaredImages(node).map(({ image, container }) => ({
    ...{ container, image, scan, waived: waivedIn(image, name, waivers) },
    exposure: exposureOf(node, container),
    registries: registriesOf(node, [image, scan.database, scan.javaDatabase]),
  }));
}

/** Whether the program makes the container of an image. An adopted agent runs on the image it was started with. */
export const isMade = (
  { adopt }: NodeConfig,
  { container }: Pick<DeclaredImage, "container">,
): boolean => !(container === AGENT_CONTAINER && adopt.agent);

function registriesOf(
  { registries }: NodeConfig,
  names: readonly (string | undefined)[],
): ScanRequest["registries"] {
  const hosts = names.flatMap((name) => (name === undefined ? [] : hostOf(name)));
  return Object.fromEntries(Object.entries(registries).filter(([host]) => hosts.includes(host)));
}
