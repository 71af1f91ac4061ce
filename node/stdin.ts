/* The standard input of a node script: variables, script, and what it repairs. The same form is rendered and read back from the state. */
import { createHash } from "node:crypto";
import type { Difference } from "./checks";

/** Lines `NAME='value'`. A value may have several lines, those of another script too. */
const VARIABLES = /^(?:[A-Z_0-9]+='[^']*(?:'\\''[^']*)*'\n)*/;

/** The first line of every script of `node/`; before it come the variables. */
const SCRIPT_BEGINS = "# shellcheck shell=bash\n";

/** The last line of a standard input that was changed to repair a node. */
const REPAIRS = /\n# repairs ([0-9a-f]{16})\n$/;

/** The parts of a standard input. */
export interface Stdin {
  /** Lines `NAME='value'`. */
  readonly variables: string;
  readonly script: string;
  /** The token that made it run again last; see `repairStdin`. */
  readonly repairs?: string;
}

/** Splits a standard input into its parts; undefined when it is not that of a node script. */
export function splitStdin(stdin: unknown): Stdin | undefined {
  if (typeof stdin !== "string") return undefined;
  const token = REPAIRS.exec(stdin)?.[1];
  const text = stdin.replace(REPAIRS, "");
  const [variables = ""] = VARIABLES.exec(text) ?? [];
  const script = text.slice(variables.length);
  if (!script.startsWith(SCRIPT_BEGINS)) return undefined;
  return { variables: variables.trimEnd(), script, repairs: token };
}

/** The variables by name, quoting undone (the inverse of `shellQuote`). */
export function variablesOf(stdin: unknown): Readonly<Record<string, string>> {
  const text = splitStdin(stdin)?.variables ?? "";
  const found = text.matchAll(/^([A-Z_]+)='((?:[^']|'\\'')*)'$/gm);
  return Object.fromEntries(
    [...found].map(([, name, value]) => [name ?? "", (value ?? "").replaceAll(`'\\''`, "'")]),
  );
}

/** Adds the line that makes a script differ from the last run. Without a token the text stays as it is. */
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
export function repairStdin(
  recorded: string | undefined,
  differences: readonly Difference[],
): string | undefined {
  const before = splitStdin(recorded)?.repairs;
  const mine = differences.filter(({ left }) => !left);
  if (mine.length === 0) return before;
  const text = JSON.stringify([before ?? "", ...mine]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
