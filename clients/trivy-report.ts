/** Reads Trivy's report of an image. */
import { z } from "zod";
import { SEVERITIES, type Severity } from "../config/vulnerabilities";
import { parseJson } from "./answer";

/** The parts of Trivy's report that count (pkg/types/report.go). */
const report = z.looseObject({
  Results: z
    .array(
      z.looseObject({
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

/** @throws AnswerError when it is no report of Trivy's */
export function readReport(text: string): Vulnerability[] {
  return parseJson(report, text, "Trivy's report").Results.flatMap(({ Vulnerabilities }) =>
    Vulnerabilities.map((one) => ({
      ...{ id: one.VulnerabilityID, severity: one.Severity, package: one.PkgName },
      ...{ installed: one.InstalledVersion, fixed: one.FixedVersion, title: one.Title },
    })),
  );
}
