import type { z } from "zod";

/** One thing wrong with the configuration: where, what was found, what is allowed. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly value: unknown;
  readonly allowed: string;
}

type Issue = z.core.$ZodIssue;

/** Everything wrong with the configuration, in one error that a user can act on. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly problems: readonly Problem[]) {
    const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
    super(
      [
        `${count} in the configuration; nothing was changed:`,
        ...problems.map(describeProblem),
      ].join("\n  "),
    );
    // The stack would only show this program's insides; the message is the whole answer.
    this.stack = this.message;
  }
}

/** A problem in a line: where, what was found, what is allowed. */
export function describeProblem(problem: Problem): string {
  const found = problem.value === undefined ? "missing" : show(problem.value);
  return `${problem.path.map(keyText).join(".")}: ${found}; allowed: ${problem.allowed}`;
}

/** A key that could be mistaken for anything else is shown quoted. */
function keyText(key: PropertyKey): string {
  return /^[\w./-]+$/.test(String(key)) ? String(key) : show(String(key));
}

/** Values are shown short: enough to recognise, too little to flood a terminal. One line, all of it visible. */
function show(value: unknown): string {
  const text = escaped(toJson(value));
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** What only a program could put into a configuration, such as a function, has no JSON. */
function toJson(value: unknown): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text ?? typeof value;
  } catch {
    return `${typeof value} without a form in JSON`;
  }
}

/** JSON escapes controls below U+0020 only. */
function escaped(text: string): string {
  const code = (found: string): string => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, code);
}

/** Problems of a zod result, below `prefix`. */
export function problemsOf(error: z.ZodError, prefix: readonly PropertyKey[]): Problem[] {
  return error.issues.flatMap((issue) => fromIssue(issue, prefix));
}

function fromIssue(issue: Issue, prefix: readonly PropertyKey[]): Problem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      value: valueAt(issue.input, key),
      allowed: "not a key of this section; see docs/reference/configuration.md",
    }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    return closest(issue.errors).flatMap((inner) => fromIssue(inner, path));
  }
  if (issue.code === "invalid_key") {
    const allowed = issue.issues.map(allowedBy).join(", and ");
    return [{ path, value: issue.input, allowed: `as the name: ${allowed}` }];
  }
  return [{ path, value: issue.input, allowed: allowedBy(issue) }];
}

/** Of the branches of a union, the one the user most likely meant: the fewest complaints. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  return [...branches].sort((a, b) => weight(a) - weight(b))[0] ?? [];
}

function weight(issues: readonly Issue[]): number {
  return issues.reduce((sum, i) => sum + (i.code === "unrecognized_keys" ? i.keys.length : 1), 0);
}

function allowedBy(issue: Issue): string {
  switch (issue.code) {
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(", ");
    case "invalid_type":
      return issue.expected;
    case "too_small":
      return `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
    case "too_big":
      return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    default:
      return issue.message;
  }
}

function valueAt(input: unknown, key: string): unknown {
  return typeof input === "object" && input !== null
    ? (input as Record<string, unknown>)[key]
    : undefined;
}
