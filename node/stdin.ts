/* Standard input of a node script: variables, script, and what it repairs. As rendered, and as a stack's state has it. */
import { createHash } from "node:crypto";
import type { Difference } from "./checks";

/** The first line of every script of `node/`; before it come the variables. */
const SCRIPT_BEGINS = "# shellcheck shell=bash";

/** The last line of a standard input that was changed to repair a node. */
const REPAIRS = /\n# repairs ([0-9a-f]{16})\n$/;

/** Standard input, parted. */
export interface Stdin {
  /** Lines `NAME='value'`. */
  readonly variables: string;
  readonly script: string;
  /** What it was given last to be run again; see `repairs`. */
  readonly repairs?: string;
}

/** Parts standard input; undefined when it is no node script's. */
export function splitStdin(stdin: unknown): Stdin | undefined {
  if (typeof stdin !== "string") return undefined;
  const token = REPAIRS.exec(stdin)?.[1];
  const lines = stdin.replace(REPAIRS, "").split("\n");
  const at = lines.indexOf(SCRIPT_BEGINS);
  if (at < 0) return undefined;
  const [variables, script] = [lines.slice(0, at), lines.slice(at)].map((part) => part.join("\n"));
  return { variables: variables ?? "", script: script ?? "", repairs: token };
}

/** A script's text with the line that makes it another one; without a token the text as it is. */
export function withRepairs(text: string, token: string | undefined): string {
  return token ? `${text}\n# repairs ${token}\n` : text;
}

/**
 * The token of a step. Another one runs the step again, so it changes when a node has differences that the step puts
 * right, and stays as recorded otherwise. The same state and the same differences give the same token: a preview
 * and the `up` after it agree.
 *
 * @param recorded standard input of the step in the stack's state
 */
export function repairs(
  recorded: string | undefined,
  differences: readonly Difference[],
): string | undefined {
  const before = splitStdin(recorded)?.repairs;
  const mine = differences.filter(({ left }) => !left);
  if (mine.length === 0) return before;
  const text = JSON.stringify([before ?? "", ...mine]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
