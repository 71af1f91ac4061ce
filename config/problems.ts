import { RunError } from "@pulumi/pulumi/errors";

/** One thing wrong with the configuration: where, what was found, what is allowed. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly value: unknown;
  /** What was found, in words: instead of a value that may be a secret. */
  readonly found?: string;
  /** Values that are right. Or what to do instead, which begins with `needs` or `leave it out`. */
  readonly allowed: string;
  /** The nodes concerned, if one mistake reaches several: "in 100 nodes". */
  readonly scope?: string;
  /** Id of the waiver that would allow it. */
  readonly waiver?: string;
}

/**
 * All problems of the configuration in one error. It is a `RunError`, because Pulumi prints only the message of such an
 * error; of any other it prints the whole object (@pulumi/pulumi, cmd/run/run.ts).
 */
export class ConfigError extends RunError {
  override readonly name = "ConfigError";

  constructor(readonly problems: readonly Problem[]) {
    const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
    super(
      [
        `${count} in the configuration; nothing was changed:`,
        ...problems.map(describeProblem),
      ].join("\n  "),
    );
    // The message says everything; a stack trace would only show this program's internals.
    this.stack = this.message;
  }
}

/** Describes a problem in one line: where, what was found, what is allowed. */
export function describeProblem(problem: Problem): string {
  const { value } = problem;
  const found = problem.found ?? (value === undefined ? "missing" : show(value));
  const scope = problem.scope === undefined ? "" : ` (${problem.scope})`;
  const { allowed } = problem;
  const advice = /^(needs|leave it out)\b/.test(allowed) ? allowed : `allowed: ${allowed}`;
  return `${problem.path.map(keyText).join(".")}: ${found}${scope}; ${advice}`;
}

/** Returns a key or name, in quotes if it could be mistaken for something else. */
export function keyText(key: PropertyKey): string {
  return /^[\w./-]+$/.test(String(key)) ? String(key) : show(String(key));
}

/** Shows a value on one line, shortened, and with control characters visible. */
function show(value: unknown): string {
  const text = escapeText(toJson(value));
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** Only a program can put a value without JSON into a configuration, such as a function. */
function toJson(value: unknown): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text ?? typeof value;
  } catch {
    return `a ${typeof value}, which JSON cannot hold`;
  }
}

/** JSON itself escapes only control characters below U+0020. */
function escapeText(text: string): string {
  const escapeCode = (found: string): string =>
    `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, escapeCode);
}
