/* Compares a node with what it was given: runs the steps that change a node in check mode, as one script in one session. */
import { z } from "zod";
import { partsOf, readPart, type ScriptName } from "./scripts";

/** The steps that can be checked, in their order. The others change nothing on a node. */
export const CHECKED_STEPS = [
  "storage",
  "install",
  "daemon",
  "registries",
  "access",
  "firewall",
  "hardening",
] as const;

/** Name of a step that can be checked; its script has the same. */
export type CheckedStep = (typeof CHECKED_STEPS)[number] & ScriptName;

const DIFFERENCE = z.object({
  step: z.enum(CHECKED_STEPS),
  /** A path, or what else holds it: packages, systemd, dockerd. */
  file: z.string(),
  /** What in it, such as `log-opts.max-file`; empty for the file as a whole. */
  key: z.string(),
  /** Empty: it is not on the node. */
  found: z.string(),
  /** Empty: it should not be on the node. */
  declared: z.string(),
  /** Until when `up` does not mend it; undefined when the next `up` mends it. */
  left: z.string().optional(),
});

/** Something on a node that is not as it was given; node/check.sh prints it. Holds no secret. */
export type Difference = Readonly<z.infer<typeof DIFFERENCE>>;

/** A difference in words. */
export function describeDifference({ file, key, found, declared, left }: Difference): string {
  const at = key === "" ? file : `${file} ${key}`;
  const then = left ? `up leaves it ${left}` : "up puts it right";
  return `${at}: ${found || "absent"} on the node, ${declared || "absent"} as declared; ${then}`;
}

/** What the checks of a node said. */
export interface Checked {
  readonly differences: readonly Difference[];
  /** Steps that could not be checked; standard error has the reasons. */
  readonly failed: readonly string[];
}

/** Seconds the checks of a node may take, on the node itself. */
const LIMIT = 100;

/**
 * What `bash -s` reads to check a node. It only reads.
 *
 * @param steps each with the lines `NAME='value'` its script was given
 */
export function renderChecks(
  steps: readonly { readonly step: CheckedStep; readonly variables: string }[],
): string {
  const begin = ["MODE=check", `LIMIT=${LIMIT}`, readPart("lib"), readPart("check"), "limit_run"];
  const each = steps.flatMap(({ step, variables }) => {
    const own = partsOf(step).filter((part) => part !== "lib" && part !== "check");
    const script = ["(", "set -e", variables, ...own.map(readPart), ")"];
    return [...script, `checked ${step} $?`];
  });
  return [...begin, "set +e", ...each, ""].join("\n");
}

/** Reads what the checks printed; lines of anything else on the node are left out. */
export function parseChecks(stdout: string): Checked {
  const lines = stdout.split("\n").flatMap((line) => parseLine(line));
  return {
    differences: lines.flatMap((line) => DIFFERENCE.safeParse(line).data ?? []),
    failed: lines.flatMap((line) => FAILURE.safeParse(line).data?.step ?? []),
  };
}

const FAILURE = z.object({ step: z.string(), failed: z.literal(true) });

function parseLine(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
