/** Compares nodes, over SSH, with what they were last given, or with what they are going to be given first. It only reads. */
import { RunError } from "@pulumi/pulumi/errors";
import { sshEndpoint, sshOptions } from "../config/node";
import type { NodeConfig } from "../config/schema";
import {
  checkableSteps,
  declaredChecks,
  type Check,
  type Checkable,
  type CheckedStep,
} from "../node/checkable";
import {
  LOOK_SECONDS,
  parseChecks,
  renderLook,
  type Difference,
  type SshConnection,
} from "../node/checks";
import type { RecordedNode } from "../node/recorded";
import { splitStdin } from "../node/stdin";
import { ask } from "./process";
import { asRoot } from "./ssh";

/** The result of checking a node. */
export interface Look {
  readonly differences: readonly Difference[];
  /** Why the node, or a step, could not be checked. */
  readonly problems: readonly string[];
  /** The node has answered, by its host key, and lets nobody in by this user and key. */
  readonly locked?: true;
  /** How the node sees this look. Undefined if it does not tell. */
  readonly connection?: SshConnection;
}

/** The look at a node that shows nothing, or was not taken. */
export const NOTHING: Look = { differences: [], problems: [] };

const SWITCH = "DOCKER_NODE_DRIFT";

/**
 * Whether nodes are checked: yes, unless the variable is `off`.
 * @throws RunError if it has another value
 */
export function looksAtNodes(value = process.env[SWITCH] ?? ""): boolean {
  if (value !== "" && value !== "off")
    throw new RunError(`${SWITCH}: ${JSON.stringify(value)}; allowed: off, or not set`);
  return value === "";
}

/** Seconds to connect, and for the whole check. A node that is off is reported soon; a busy one gets more time. */
const CONNECT_SECONDS = 10;
const LIMIT_SECONDS = CONNECT_SECONDS + LOOK_SECONDS + 20;

/** Compares a node with what the state recorded for it. The host key must be that of the first connection. */
export async function lookAt(node: NodeConfig, recorded: RecordedNode): Promise<Look> {
  const steps = checkableSteps(node).flatMap((one) => recordedCheck(one, recorded));
  if (steps.length === 0) return NOTHING;
  return checkSteps(node, node.ssh.hostKey ?? recorded.hostKey, steps);
}

/** The check of a step that has run. One whose secrets are sealed checks the files without their contents, if its script can. */
function recordedCheck(one: Checkable, { stdin, sealed }: RecordedNode): Check[] {
  const text = stdin[one.step];
  const given = splitStdin(text);
  if (given) return [{ ...one, variables: one.variablesFor?.(text) ?? given.variables }];
  return one.checksSealed && sealed.includes(one.step) ? [{ ...one, variables: "" }] : [];
}

/**
 * Compares a node with what steps are going to be given that have never run there.
 *
 * @param steps their names
 * @param recorded what the state has of the node; undefined before its first `up`
 */
export async function lookAhead(
  node: NodeConfig,
  steps: readonly CheckedStep[],
  recorded?: RecordedNode,
): Promise<Look> {
  const checks = declaredChecks(node).filter(({ script }) => steps.some((step) => step === script));
  const hostKey = node.ssh.hostKey ?? recorded?.hostKey;
  if (checks.length === 0) return NOTHING;
  // Without it another machine could answer, and nobody would know.
  if (hostKey === undefined) return { ...NOTHING, problems: ["its ssh.hostKey is not declared"] };
  return checkSteps(node, hostKey, checks);
}

async function checkSteps(
  node: NodeConfig,
  hostKey: string,
  steps: readonly Check[],
): Promise<Look> {
  const target = { user: node.ssh.user, ...sshEndpoint(node) };
  // OpenSSH takes the first value of an option.
  const options = ["-o", `ConnectTimeout=${CONNECT_SECONDS}`, ...sshOptions(node, hostKey)];
  const command = { ...asRoot(target, options, ["bash", "-s"]), limitMs: LIMIT_SECONDS * 1000 };
  const { code, stdout, stderr } = await ask(command, renderLook(steps));
  const { failed, ...found } = parseChecks(stdout);
  if (code !== 0)
    return {
      // A node that timed out has already printed the connection.
      ...{ ...found, differences: [], problems: [explainStatus(target.host, code, stderr)] },
      ...(/: Permission denied \(/.test(stderr) && { locked: true }),
    };
  return { ...found, problems: failed.map((step) => explainFailure(step, stderr)) };
}

/** Why a session to a host came to nothing. `limit` is the seconds that it had. */
export function explainStatus(
  host: string,
  code: number | undefined,
  stderr: string,
  limit: number = LIMIT_SECONDS,
): string {
  if (code === undefined) return "ssh is not installed here: apt install openssh-client";
  if (/REMOTE HOST IDENTIFICATION|Host key verification failed/.test(stderr))
    return (
      `the machine at ${host} has another host key than the one learned at the first connection, so nothing is run on it; ` +
      "if it is meant to have it, declare it as ssh.hostKey"
    );
  const lines = stderr.trim().split("\n");
  const said = lines.find((line) => line.includes("its limit of")) ?? lines.at(-1);
  return `${host}: ${said ? said : `no answer within ${limit} s`}`;
}

function explainFailure(step: string, stderr: string): string {
  const line = stderr.split("\n").find((one) => one.startsWith(`docker-node: ${step}: `));
  return line?.replace("docker-node: ", "") ?? `${step}: could not be checked`;
}
