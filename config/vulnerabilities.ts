/* Known vulnerabilities of images: how they are named, weighed and waived. */

/** Severities, the least first. UNKNOWN: nobody has rated it. */
export const SEVERITIES = ["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"] as const;

/** How grave a vulnerability is. */
export type Severity = (typeof SEVERITIES)[number];

/** How grave a severity is; more is graver. */
export const gravityOf = (severity: Severity): number => SEVERITIES.indexOf(severity);

/** Id of a vulnerability, as databases have it. */
export const VULNERABILITY =
  /^(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3}|[A-Z][A-Z0-9]{1,11}-[\w.:-]{1,64})$/;

/** What a waiver of a vulnerability names as its id; `vulnerability` and `image` say which. */
export const IMAGE_VULNERABILITY = "image-vulnerability";
