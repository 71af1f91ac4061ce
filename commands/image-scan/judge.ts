/** Applies waivers to what a scan found, and ranks what is left. */
import type { Vulnerability } from "../../clients/trivy-report";
import type { Exposure } from "../../config/container-exposure";
import type { ScanRequest } from "../../config/image-scan";
import { gravityOf } from "../../config/vulnerabilities";

/** Vulnerabilities of an image, by what they mean for it. */
export interface Judgement {
  /** They block the image. */
  readonly open: readonly Vulnerability[];
  readonly waived: readonly Vulnerability[];
  /** How many are less grave than what blocks, or have no fix where that is allowed. */
  readonly minor: number;
  /** Waivers of vulnerabilities that do not block it. */
  readonly unneeded: readonly string[];
}

/** Judges what was found. The gravest comes first. */
export function judge(
  found: readonly Vulnerability[],
  { scan, waived }: Pick<ScanRequest, "scan" | "waived">,
): Judgement {
  const isBlocking = ({ severity, fixed }: Vulnerability): boolean =>
    gravityOf(severity) >= gravityOf(scan.severity) && (fixed !== "" || scan.unfixed === "block");
  const grave = found.filter(isBlocking).sort(byGravity);
  const ids = new Set(grave.map(({ id }) => id));
  return {
    open: grave.filter(({ id }) => !waived.includes(id)),
    waived: grave.filter(({ id }) => waived.includes(id)),
    minor: found.length - grave.length,
    unneeded: waived.filter((id) => !ids.has(id)),
  };
}

const byGravity = (a: Vulnerability, b: Vulnerability): number =>
  gravityOf(b.severity) - gravityOf(a.severity) || (a.id < b.id ? -1 : 1);

/** A vulnerability in a container. */
export interface Exposed extends Vulnerability {
  readonly container: string;
  readonly exposure: Exposure;
}

/** Ranks vulnerabilities of several containers: the most exposed container first, and in it the gravest. */
export const rankExposed = (all: readonly Exposed[]): Exposed[] =>
  [...all].sort(
    (a, b) =>
      b.exposure.rank - a.exposure.rank ||
      (a.container === b.container ? byGravity(a, b) : a.container < b.container ? -1 : 1),
  );
