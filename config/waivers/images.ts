import { declaredImages, isFrom } from "../images";
import type { NodeConfig } from "../schema";
import { gravityOf } from "../vulnerabilities";
import { weaknessIf, type Downgrade, type Weakness } from "./downgrade";

/*
 * Images that no policy restricts or nobody scans, images that the policy does not name, and scans that let through more than
 * they do by themselves.
 */

const hasImages = (node: NodeConfig): boolean => declaredImages(node).length > 0;

const findAnyRegistry = (node: NodeConfig): Weakness[] =>
  weaknessIf(hasImages(node) && !node.images?.registries, "images/registries", undefined);

const findNoScan = (node: NodeConfig): Weakness[] =>
  weaknessIf(hasImages(node) && !node.images?.scan, "images/scan", undefined);

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
    id: "image-registry-any",
    allowed: "the registries that images may come from, such as [docker.io/portainer]",
    meaning: "An image may come from anywhere, whoever controls the place.",
    find: findAnyRegistry,
  },
  {
    id: "image-scan-none",
    allowed: "how images are scanned: {} for Trivy on the workstation (docs/how-to/scan-images.md)",
    meaning: "Nobody looks for known vulnerabilities in what containers run.",
    find: findNoScan,
  },
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
