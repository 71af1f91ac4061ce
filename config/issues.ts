import type { z } from "zod";
import type { Problem } from "./problems";
import { reasonFor } from "./unknown-keys";

/*
 * Turns zod's issues into plain words. A rule that zod cannot describe (a pattern, a refinement) has its own text in
 * `error`; a test walks the schema and checks that.
 */

type Issue = z.core.$ZodIssue;

/** Words for zod's names of types. */
const TYPES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "a map of keys",
  record: "a map of keys",
  string: "a text",
};

/** What a length counts, one and several. */
const COUNTED: Readonly<Record<string, readonly [string, string]>> = {
  array: [" entry", " entries"],
  string: [" character", " characters"],
};

/** Turns a zod error into problems. `prefix` is the path of the parsed value. */
export function problemsOf(error: z.ZodError, prefix: readonly PropertyKey[]): Problem[] {
  return error.issues.filter(isOurs).flatMap((issue) => fromIssue(issue, prefix));
}

/** Every whole number has a limit of its own in the schema. JavaScript's limit would tell a user nothing. */
function isOurs(issue: Issue): boolean {
  return !((issue.code === "too_big" || issue.code === "too_small") && issue.origin === "int");
}

function fromIssue(issue: Issue, prefix: readonly PropertyKey[]): Problem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      value: valueAt(issue.input, key),
      allowed: `not a key of this section; ${reasonFor([...path, key]) ?? "see docs/reference/configuration.md"}`,
    }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0 && isZods(issue)) {
    return fromUnion(issue.errors, path, issue.input);
  }
  if (issue.code === "invalid_union" && issue.discriminator) {
    return [{ path, value: valueAt(issue.input, issue.discriminator), allowed: issue.message }];
  }
  if (issue.code === "invalid_key") {
    const allowed = issue.issues.map(allowedBy).join(", and ");
    return [{ path, value: issue.input, allowed: `as the key: ${allowed}` }];
  }
  return [{ path, value: issue.input, allowed: allowedBy(issue) }];
}

/** All alternatives if the value matches none of them at all, else the problems of the likeliest one. */
function fromUnion(
  branches: readonly (readonly Issue[])[],
  path: readonly PropertyKey[],
  value: unknown,
): Problem[] {
  const whole = branches.map((issues) => issues.find((issue) => issue.path.length === 0));
  const each = whole.flatMap((issue) =>
    issue && issue.code !== "unrecognized_keys" ? [allowedBy(issue)] : [],
  );
  if (each.length === branches.length)
    return [{ path, value, allowed: [...new Set(each)].join(", or ") }];
  return findClosest(branches).flatMap((inner) => fromIssue(inner, path));
}

/** The branch of a union that the user most likely meant: the one with the fewest problems. */
function findClosest(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  return [...branches].sort((a, b) => weightOf(a) - weightOf(b))[0] ?? [];
}

function weightOf(issues: readonly Issue[]): number {
  return issues.reduce((sum, i) => sum + (i.code === "unrecognized_keys" ? i.keys.length : 1), 0);
}

/** Whether the text is zod's, because the schema has none of its own. */
const isZods = ({ message }: Issue): boolean => message.startsWith("Invalid input");

function allowedBy(issue: Issue): string {
  switch (issue.code) {
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(", ");
    case "invalid_type":
      return isZods(issue) ? (TYPES[issue.expected] ?? issue.expected) : issue.message;
    case "too_small":
      return `${issue.inclusive ? "at least" : "more than"} ${countInWords(issue.minimum, issue.origin)}`;
    case "too_big":
      return `${issue.inclusive ? "at most" : "less than"} ${countInWords(issue.maximum, issue.origin)}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    default:
      return issue.message;
  }
}

function countInWords(count: number | bigint, origin: string): string {
  const [one, several] = COUNTED[origin] ?? ["", ""];
  return `${count}${Number(count) === 1 ? one : several}`;
}

/** What a map or a list has under a key; undefined for anything else. */
export function valueAt(input: unknown, key: PropertyKey): unknown {
  return typeof input === "object" && input !== null
    ? (input as Record<PropertyKey, unknown>)[key]
    : undefined;
}
