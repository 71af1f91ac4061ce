/**
 * The program that the graph runs on the workstation before an image is pulled. Its input comes from environment variables, its
 * output goes into the state.
 */
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import { messageOf } from "../../clients/failure";
import { scanRequest, type ScanSecrets } from "../../config/image-scan";
import { listComplaints, nameOf, scanAndJudge, type Result } from "./scan";

type Variables = Readonly<Record<string, string | undefined>>;

/** Output, errors and exit status. */
export interface Outcome {
  readonly code: 0 | 1;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Scans the image of `IMAGE_SCAN`, which components/docker/image-scan.ts writes. Status 1: the image is blocked. */
export async function runScan(variables: Variables): Promise<Outcome> {
  try {
    const request = parseJson(scanRequest, variables["IMAGE_SCAN"] ?? "", "IMAGE_SCAN");
    return makeOutcome(await scanAndJudge(request, secretsIn(variables)));
  } catch (error) {
    return { code: 1, stderr: `image scan: ${messageOf(error)}` };
  }
}

const secretsIn = (variables: Variables): ScanSecrets => ({
  passwords: parseJson(
    z.record(z.string(), z.string()),
    variables["IMAGE_SCAN_PASSWORDS"] ?? "{}",
    "IMAGE_SCAN_PASSWORDS",
  ),
  token: variables["IMAGE_SCAN_TOKEN"],
});

function makeOutcome(result: Result): Outcome {
  if ("reason" in result) return obeyPolicy(result);
  const { request, scanned, judgement } = result;
  const complaints = listComplaints(request, judgement);
  if (complaints.length > 0) return { code: 1, stderr: complaints.join("\n") };
  const { waived, minor } = judgement;
  const figures = { vulnerabilities: scanned.vulnerabilities.length, minor, waived: waived.length };
  const told = `${nameOf(request)} was scanned: ${figures.vulnerabilities} known vulnerabilities, ${minor} of them minor, ${waived.length} waived`;
  const made = packSbom(scanned.sbom);
  return {
    code: 0,
    stdout: JSON.stringify({ scanned: true, database: scanned.database, ...figures, ...made }),
    stderr: told,
  };
}

/** What an image is made of, as the step on the node takes it; nothing if that is not known. */
const packSbom = (sbom?: string): { readonly sbom?: string } =>
  sbom === undefined ? {} : { sbom: gzipSync(sbom).toString("base64") };

/** `images.scan.whenUnavailable` decides on an image that could not be scanned. */
function obeyPolicy({ request, reason, sbom }: Extract<Result, { reason: string }>): Outcome {
  const policy = `images.scan.whenUnavailable: ${request.scan.whenUnavailable}`;
  const told = `${nameOf(request)} could not be scanned: ${reason}`;
  if (request.scan.whenUnavailable === "fail")
    return { code: 1, stderr: `${told}\nit is blocked, since ${policy}` };
  return {
    code: 0,
    stdout: JSON.stringify({ scanned: false, reason, ...packSbom(sbom) }),
    stderr: `warning: ${told}\nit is used nevertheless, since ${policy}`,
  };
}
