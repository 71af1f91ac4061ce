import { declaredImages, isFrom } from "../images";
import type { NodeConfig } from "../schema";
import { gravityOf } from "../vulnerabilities";
import { weaknessIf, type Downgrade, type Weakness } from "./downgrade";

/* Images from a registry that the node's policy does not name, and scans that let through more than they do by themselves. */

function foreignImages(node: NodeConfig): Weakness[] {
  const { registries } = node.images ?? {};
  if (!registries) return [];
  return declaredImages(node)
    .filter(({ image }) => !registries.some((one) => isFrom(one, image)))
    .map(({ path, image, container }) => ({ path, value: image, container }));
}

function findLaxScan({ images }: NodeConfig): Weakness[] {
  const scan = images?.scan;
  if (!scan) return [];
  const { severity, unfixed, whenUnavailable } = scan;
  return [
    ...weaknessIf(gravityOf(severity) > gravityOf("HIGH"), "images/scan/severity", severity),
    ...weaknessIf(unfixed === "allow", "images/scan/unfixed", unfixed),
    ...weaknessIf(whenUnavailable === "warn", "images/scan/whenUnavailable", whenUnavailable),
  ];
}

/** The rows, in the order of the page. */
export const IMAGE_DOWNGRADES: readonly Downgrade<NodeConfig>[] = [
  {
    id: "image-registry",
    allowed: "an image from one of images.registries",
    meaning: "Whoever controls that registry decides what the container is.",
    ofContainers: true,
    find: foreignImages,
  },
  {
    id: "image-scan-lax",
    allowed: "severity HIGH or below, unfixed: block, whenUnavailable: fail",
    meaning: "Images run that have grave vulnerabilities, or that nobody has scanned.",
    find: findLaxScan,
  },
];
