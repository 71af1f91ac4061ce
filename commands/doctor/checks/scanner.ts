/** Checks of the programs that scan images before a node gets them. */
import { isAtLeast } from "../../../clients/versions";
import { fail, nodesOf, pass, warn, type Check, type Context, type Finding } from "../types";

/** The release that is tried (docs/how-to/scan-images.md). */
const OLDEST_TRIVY = "0.68";

/** What Trivy calls a build without a number (trivy, pkg/version/app/version.go). */
const UNNUMBERED = "dev";

/** A check of each program. An image that cannot be scanned stops `up` where one node wants it so. */
export function scannerChecks(context: Context): Check[] {
  const scans = nodesOf(context).flatMap(([, { images }]) => images?.scan ?? []);
  return [...new Set(scans.map(({ program }) => program))].map((program) => {
    const own = scans.filter((scan) => scan.program === program);
    const tell = own.some(({ whenUnavailable }) => whenUnavailable === "fail") ? fail : warn;
    return {
      id: `scanner:${program}`,
      title: "Scanner of images",
      run: (here) => checkScanner(here, program, tell),
    };
  });
}

async function checkScanner(
  { run, stack }: Context,
  program: string,
  tell: typeof fail,
): Promise<Finding> {
  const { code, stdout } = await run(program, ["--version"]);
  const version = /^Version: (\S+)/m.exec(stdout)?.[1];
  const fix = `install Trivy ${OLDEST_TRIVY} or later (https://trivy.dev), or set images.scan.program in Pulumi.${stack}.yaml`;
  if (code !== 0 || version === undefined) return tell(`${program} is not Trivy, or not here`, fix);
  if (version === UNNUMBERED || isAtLeast(version, OLDEST_TRIVY)) return pass(version);
  return tell(`${version} is older than ${OLDEST_TRIVY}`, fix);
}
