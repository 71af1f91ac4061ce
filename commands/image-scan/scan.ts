/** Scans an image and judges what was found. */
import { messageOf } from "../../clients/failure";
import { scanImage, type Scanned } from "../../clients/trivy";
import type { Vulnerability } from "../../clients/trivy-report";
import type { ScanRequest, ScanSecrets } from "../../config/image-scan";
import { withoutVersion } from "../../config/images";
import { IMAGE_VULNERABILITY } from "../../config/vulnerabilities";
import { judge, rankExposed, type Exposed, type Judgement } from "./judge";

/** A scan and its judgement. Or the reason why there is none; its SBOM is there if Trivy could list what the image is made of. */
export type Result =
  | { readonly request: ScanRequest; readonly scanned: Scanned; readonly judgement: Judgement }
  | { readonly request: ScanRequest; readonly reason: string; readonly sbom?: string };

/**
 * Scans and judges an image. It throws nothing: what went wrong is the `reason`. Where Trivy cannot see the whole image, open
 * vulnerabilities still block it; without any, the image counts as not scanned.
 */
export async function scanAndJudge(request: ScanRequest, secrets: ScanSecrets): Promise<Result> {
  try {
    const scanned = await scanImage(request, secrets);
    const judgement = judge(scanned.vulnerabilities, request);
    if (scanned.blind === undefined || judgement.open.length > 0)
      return { request, scanned, judgement };
    return { request, reason: scanned.blind, sbom: scanned.sbom };
  } catch (error) {
    return { request, reason: messageOf(error) };
  }
}

/** Scans a node's images one after the other: they share a cache. */
export async function scanAll(
  requests: readonly ScanRequest[],
  secrets: ScanSecrets,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const request of requests) results.push(await scanAndJudge(request, secrets));
  return results;
}

/** What blocks the images of a node, ranked. */
export const rankOpen = (results: readonly Result[]): Exposed[] =>
  rankExposed(
    results.flatMap((one) =>
      "reason" in one
        ? []
        : one.judgement.open.map((each) => ({
            ...each,
            container: one.request.container,
            exposure: one.request.exposure,
          })),
    ),
  );

/** A vulnerability on one line. */
export const describe = (one: Vulnerability): string =>
  `${one.severity} ${one.id} ${one.package} ${one.installed} (${one.fixed ? `fixed in ${one.fixed}` : "no fix yet"})` +
  (one.title ? `: ${one.title}` : "");

/** An image with the container that runs it, without its digest. */
export const nameOf = ({ image, container }: ScanRequest): string =>
  `${image.split("@")[0] ?? image} of ${container}`;

/** Why an image is blocked, as lines; none if it is not. */
export function listComplaints(request: ScanRequest, { open, unneeded }: Judgement): string[] {
  const { image, exposure, scan: policy, waived } = request;
  const name = withoutVersion(image);
  const found = `${open.length} without a waiver, of severity ${policy.severity} or above`;
  const where = exposure.words.join("; ") || "confined, without a network";
  return [
    ...(open.length > 0
      ? [
          `${nameOf(request)} is blocked by known vulnerabilities: ${found}`,
          `  exposure ${exposure.rank} of 4: ${where}`,
          ...open.map((one) => `  ${describe(one)}`),
          `  take an image without them, or write a waiver with id ${IMAGE_VULNERABILITY}, vulnerability and image: ${name} (docs/how-to/scan-images.md)`,
        ]
      : []),
    ...unneeded.map(
      (id) =>
        `waivers: ${id} of ${name}; leave it out: ${nameOf(request)} has no such vulnerability that blocks it (${waived.length} waived)`,
    ),
  ];
}
