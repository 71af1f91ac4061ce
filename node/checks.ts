/* Compares a node with what it was given: runs the steps that change a node in check mode, as one script in one session. */
import { z } from "zod";
import { plainAddress } from "../config/cidr";
import type { Check } from "./checkable";
import { partsOf, readPart } from "./scripts";

const DIFFERENCE = z.object({
  step: z.string(),
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
  /** Undefined if the node did not say, or it came from no network. */
  readonly connection?: SshConnection;
}

/** An SSH connection, as the node sees it: past every NAT and every host that forwards it. */
export interface SshConnection {
  /** Address it comes from. */
  readonly from: string;
  /** Port it has come to. */
  readonly port: number;
}

/** Seconds the checks of a node may take, on the node itself. */
export const LOOK_SECONDS = 270;

/**
 * What `bash -s` reads to check a node. It only reads. Two checks run at a time.
 *
 * @param steps each speaks by the name of the step, since several may run one script
 * @param first lines before the checks, which may use the shared functions
 */
export function renderChecks(steps: readonly Check[], first: readonly string[] = []): string {
  const begin = [
    "MODE=check",
    `LIMIT=${LOOK_SECONDS}`,
    readPart("lib"),
    readPart("check"),
    "limit_run",
  ];
  const lanes = [steps.filter((one) => !isLong(one)), steps.filter(isLong)];
  const each = lanes.flatMap((lane, at) => renderLane(`lane_${at}`, lane));
  return [...begin, "set +e", ...first, ...each, "print_lanes", ""].join("\n");
}

/** Takes as long as all the others. */
const isLong = ({ script }: Check): boolean => script === "hardening";

/** Begins the checks of a lane, one after the other. */
function renderLane(name: string, steps: readonly Check[]): string[] {
  const each = steps.flatMap(({ step, script, variables }) => {
    const own = partsOf(script).filter((part) => part !== "lib" && part !== "check");
    const named = own.map((part) => readPart(part).replace(/^SCRIPT=.*$/m, `SCRIPT=${step}`));
    return ["(", "set -e", variables, ...named, ")", `checked ${step} $?`];
  });
  return steps.length === 0 ? [] : [`${name}() {`, ...each, "}", `begin_lane ${name}`];
}

/** `renderChecks`, and before anything else the node tells what it sees of this very connection. */
export function renderLook(steps: readonly Check[]): string {
  const tell = 'json_object "connection=$SSH_CONNECTION"';
  return renderChecks(steps, [readPart("firewall/connection"), tell]);
}

/** Reads what the checks printed; lines of anything else on the node are left out. */
export function parseChecks(stdout: string): Checked {
  const lines = stdout.split("\n").flatMap((line) => parseLine(line));
  return {
    differences: lines.flatMap((line) => DIFFERENCE.safeParse(line).data ?? []),
    failed: lines.flatMap((line) => FAILURE.safeParse(line).data?.step ?? []),
    connection: lines.flatMap((line) => readConnection(CONNECTION.safeParse(line).data))[0],
  };
}

const FAILURE = z.object({ step: z.string(), failed: z.literal(true) });
const CONNECTION = z.object({ connection: z.string() });

/** Client, its port, server, its port (ssh(1), SSH_CONNECTION). */
function readConnection({
  connection = "",
}: Partial<z.infer<typeof CONNECTION>> = {}): SshConnection[] {
  const [client = "", , , port] = connection.split(" ");
  const from = plainAddress(client);
  return from === undefined ? [] : [{ from, port: Number(port) }];
}

function parseLine(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
