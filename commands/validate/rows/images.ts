/** The row about known vulnerabilities of images. */
import { IMAGE_VULNERABILITY } from "../../../config/vulnerabilities";
import { describe, nameOf, rankOpen, type Result } from "../../image-scan/scan";
import type { Judgement, Row } from "../row";

/** @throws Error when an image could not be scanned, and none of the others is blocked */
export function judgeScans(results: readonly Result[]): Judgement {
  const failed = results.flatMap((one) =>
    "reason" in one ? [`${nameOf(one.request)}: ${one.reason}`] : [],
  );
  const scanned = results.flatMap((one) => ("reason" in one ? [] : [one]));
  const open = rankOpen(results).map((one) => `${one.container}: ${describe(one)}`);
  const unneeded = scanned.flatMap(({ request, judgement }) =>
    judgement.unneeded.map(
      (id) => `waiver ${IMAGE_VULNERABILITY} of ${id}: unused by ${nameOf(request)}`,
    ),
  );
  const wrong = [...open, ...unneeded];
  if (wrong.length === 0 && failed.length > 0) throw new Error(failed.join("; "));
  const waived = scanned.reduce((sum, { judgement }) => sum + judgement.waived.length, 0);
  const figure = [`${scanned.length} images scanned, ${waived} vulnerabilities waived`];
  return { holds: wrong.length === 0, figure: [...figure, ...wrong, ...failed].join("; ") };
}

/** Known vulnerabilities of the declared images. */
export const images: Row = {
  id: "images",
  title: "Image scan",
  how: "Trivy on the workstation, each declared image by its digest, with the database of today",
  threshold: ({ node: { images: declared } }) =>
    declared?.scan &&
    `no vulnerability of severity ${declared.scan.severity} or above without a waiver`,
  measure: async ({ scans }) => judgeScans(await scans()),
};
