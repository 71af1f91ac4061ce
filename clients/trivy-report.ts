/** Reads Trivy's report of an image. */
import { z } from "zod";
import { SEVERITIES, type Severity } from "../config/vulnerabilities";
import { parseJson } from "./answer";

/** The parts of Trivy's report that count (pkg/types/report.go, pkg/fanal/types/artifact.go). */
const report = z.looseObject({
  Metadata: z
    .looseObject({
      OS: z
        .looseObject({ Family: z.string(), Name: z.string(), EOSL: z.boolean().default(false) })
        .optional(),
    })
    .default({}),
  Results: z
    .array(
      z.looseObject({
        Packages: z.array(z.unknown()).default([]),
        Vulnerabilities: z
          .array(
            z.looseObject({
              VulnerabilityID: z.string(),
              PkgName: z.string(),
              InstalledVersion: z.string().default(""),
              FixedVersion: z.string().default(""),
              Severity: z.enum(SEVERITIES).catch("UNKNOWN"),
              Title: z.string().default(""),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});

/** A known vulnerability of a package in an image. */
export interface Vulnerability {
  readonly id: string;
  readonly severity: Severity;
  readonly package: string;
  readonly installed: string;
  /** Version that mends it; empty while there is none. */
  readonly fixed: string;
  readonly title: string;
}

/** What Trivy has against an image. */
export interface Report {
  readonly vulnerabilities: readonly Vulnerability[];
  /** Why there may be others, of which Trivy cannot know; undefined where it knows the parts of the image. */
  readonly blind?: string;
}

type Parsed = z.output<typeof report>;

/** @throws AnswerError when it is no report of Trivy's */
export function readReport(text: string): Report {
  const parsed = parseJson(report, text, "Trivy's report");
  const vulnerabilities = parsed.Results.flatMap((one) =>
    one.Vulnerabilities.map((each) => ({
      ...{ id: each.VulnerabilityID, severity: each.Severity, package: each.PkgName },
      ...{ installed: each.InstalledVersion, fixed: each.FixedVersion, title: each.Title },
    })),
  );
  return { vulnerabilities, blind: explainBlindness(parsed) };
}

/** Trivy itself only warns in both cases, and ends with status 0. */
function explainBlindness({ Metadata: { OS: os }, Results }: Parsed): string | undefined {
  if (os?.EOSL)
    return `${os.Family} ${os.Name} is past its end of life: nobody says any more which of its packages are vulnerable`;
  if (os || Results.some(({ Packages }) => Packages.length > 0)) return undefined;
  return "Trivy found neither an operating system nor a package in it, so it could look nothing up";
}
