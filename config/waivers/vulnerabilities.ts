import { attempt } from "../partial";
import { declaredImages, withoutVersion } from "../images";
import type { Problem } from "../problems";
import type { NodeConfig } from "../schema";
import type { Waiver } from "../schema/waivers";
import { IMAGE_VULNERABILITY } from "../vulnerabilities";

/* Waivers of known vulnerabilities. Only a scan can tell whether an image has one, so it also tells of waivers without need. */

/** The row of the page. */
export const VULNERABILITIES = {
  id: IMAGE_VULNERABILITY,
  allowed: "an image without a vulnerability of `images.scan.severity` or above",
  meaning:
    "Whoever reaches the container may use a known vulnerability. The scan asks, not the configuration.",
} as const;

/** Whether only a scan can tell that it is needed. */
export const isOfVulnerability = ({ id }: Pick<Waiver, "id">): boolean =>
  id === IMAGE_VULNERABILITY;

/** Ids of the vulnerabilities of an image that are waived on a node, each once, sorted. */
export function waivedIn(image: string, node: string, waivers: readonly Waiver[]): string[] {
  const mine = waivers.filter(
    (one) =>
      isOfVulnerability(one) &&
      (one.node === "all" || one.node === node) &&
      one.image === withoutVersion(image),
  );
  return [...new Set(mine.flatMap(({ vulnerability }) => vulnerability ?? []))].sort();
}

/** Waivers of a vulnerability that do not say which or where, and others that do. */
export function findVulnerabilityMistakes(
  waiver: Waiver,
  at: number,
  nodes: Readonly<Record<string, NodeConfig>>,
): Problem[] {
  const mine = isOfVulnerability(waiver);
  const makeProblem = (key: "vulnerability" | "image", allowed: string): Problem[] => [
    { path: ["waivers", at, key], value: waiver[key], allowed },
  ];
  const findMisplaced = (key: "vulnerability" | "image", wanted: string): Problem[] => {
    if (mine && waiver[key] === undefined) return makeProblem(key, wanted);
    return !mine && waiver[key] !== undefined
      ? makeProblem(key, `leave it out with ${waiver.id}, which is not ${IMAGE_VULNERABILITY}`)
      : [];
  };
  const scanned = tryScanned(waiver, nodes) ?? [waiver.image];
  const unknown = mine && waiver.image !== undefined && !scanned.includes(waiver.image);
  return [
    ...findMisplaced("vulnerability", "the id of a vulnerability, such as CVE-2026-12345"),
    ...findMisplaced("image", scanned.join(", ")),
    ...(unknown
      ? makeProblem("image", scanned.join(", ") || "leave it out: no image is scanned there")
      : []),
  ];
}

/** Undefined where a node can be read in part only, and says why itself. */
function tryScanned(...of: Parameters<typeof scannedImages>): string[] | undefined {
  const found: string[][] = [];
  attempt(() => {
    found.push(scannedImages(...of));
  });
  return found[0];
}

/** Names of the images that are scanned where a waiver is for. */
function scannedImages(
  { node: wanted }: Waiver,
  nodes: Readonly<Record<string, NodeConfig>>,
): string[] {
  const names = Object.entries(nodes).flatMap(([name, node]) =>
    node.images?.scan && (wanted === "all" || wanted === name)
      ? declaredImages(node).map(({ image }) => withoutVersion(image))
      : [],
  );
  return [...new Set(names)];
}
