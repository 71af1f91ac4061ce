/** A plan in words: what the renderers share. */
import { DOCKER_HOST } from "../../config/resource-types";
import { HIDDEN } from "../../config/secrets";
import { describeDifference } from "../../node/checks";
import { stdinDiff } from "./daemon-diff";
import type { Action, Change, Counts, NodeLook, Plan, PropertyChange, Value } from "./model";

/** Signs in front of resources, as Pulumi's own display has them. */
export const SIGNS: Readonly<Record<Change["action"], string>> = {
  create: "+",
  update: "~",
  replace: "+-",
  delete: "-",
  import: "=",
};

const WORDS: readonly (readonly [Action, string])[] = [
  ["create", "to create"],
  ["update", "to update"],
  ["replace", "to replace"],
  ["delete", "to delete"],
  ["import", "to import"],
  ["same", "unchanged"],
];

/** What a refresh found, in the same order. */
const DRIFT_WORDS: Partial<Record<Action, string>> = {
  update: "changed by hand",
  delete: "gone",
  same: "as recorded",
};

/** "Plan for stack" or "Drift of stack". */
export const headingOf = ({ kind }: Pick<Plan, "kind">): string =>
  kind === "drift" ? "Drift of stack" : "Plan for stack";

/** Longest value shown in full. */
const LONGEST = 120;

/** "1 to create, 24 unchanged" */
export function countsInWords(counts: Counts, kind: Plan["kind"] = "preview"): string {
  const parts = WORDS.filter(([action]) => counts[action] > 0);
  if (parts.length === 0) return "no resources";
  const words = parts.map(([action, word]) => {
    const said = kind === "drift" ? (DRIFT_WORDS[action] ?? word) : word;
    return `${counts[action]} ${said}`;
  });
  return words.join(", ");
}

/** The same of a whole plan, with what was found on the nodes: "31 as recorded; on the nodes: 2 changed by hand" */
export function planInWords({ counts, kind, looks }: Plan): string {
  if (!looks) return countsInWords(counts, kind);
  const changed = looks.flatMap(({ differences }) => differences).length;
  const unseen = looks.flatMap(({ problems }) => problems).length;
  const parts = [
    ...(changed > 0 ? [`${changed} ${kind === "drift" ? "changed by hand" : "to change"}`] : []),
    ...(unseen > 0 ? [`${unseen} not looked at`] : []),
  ];
  return `${countsInWords(counts, kind)}; on the nodes: ${parts.join(", ") || "all as given"}`;
}

/** What was found on a node, a line each. */
export const lookLines = ({ differences, problems }: NodeLook): string[] => [
  ...differences.map(describeDifference),
  ...problems.map((problem) => `not looked at: ${problem}`),
];

/** Whether it changes anything, or anything differs from what was given. */
export function changesAnything({ counts, looks = [] }: Pick<Plan, "counts" | "looks">): boolean {
  return looks.length > 0 || WORDS.some(([action]) => action !== "same" && counts[action] > 0);
}

/** The last part of a type, such as `VmLegacy` of `proxmoxve:index/vmLegacy:VmLegacy`. */
export const shortType = (type: string): string =>
  type === DOCKER_HOST ? "DockerHost" : (type.split(":").at(-1) ?? type);

/** The details of a change, one line each. */
export function reasonsOf(change: Change): string[] {
  const { because, uncertain, retained, action } = change;
  const lines = because.map((key) =>
    key === "replaceWith" ? "replaced with the machine it lives on" : `replaced because of ${key}`,
  );
  if (uncertain) lines.push("may change: what its provider needs is known only during up");
  if (retained) lines.push("forgotten by Pulumi, left where it is");
  const details = action === "update" || action === "replace" ? change.properties : [];
  return [...lines, ...details.flatMap(propertyLines)];
}

/** One property, or the lines of a standard input that differ. */
export function propertyLines({ path, before, after, secret }: PropertyChange): string[] {
  if (secret) return [`${path}: ${HIDDEN} changed`];
  if (path === "stdin") return ["stdin:", ...stdinDiff(before, after).map((line) => `  ${line}`)];
  // Only the provider knows what differs, such as a value it computes.
  if ((before ?? null) === null && (after ?? null) === null) return [`${path}: changes`];
  if (before === undefined) return [`${path}: added ${showValue(after)}`];
  if (after === undefined) return [`${path}: removed ${showValue(before)}`];
  return [`${path}: ${showValue(before)} → ${showValue(after)}`];
}

function showValue(value: Value | undefined): string {
  const text = JSON.stringify(value ?? null);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** Replaces control characters: a value must not move the reader's cursor, or turn the direction of the text. */
export function clean(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "�");
}
