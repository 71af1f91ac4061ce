/** Reduces an event log to what a plan reads, without values of a machine, so that it can be committed. */
import { createHash } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { splitStdin } from "../../node/stdin";

type Step = NonNullable<EngineEvent["resourcePreEvent"]>["metadata"];
type State = NonNullable<Step["old"]>;

const ROOT = process.cwd();

/** Replacements in every string. A key in a fixture would alarm every secret scanner. */
const REPLACED: readonly (readonly [RegExp, string])[] = [
  [/(ssh-ed25519|ssh-rsa|ecdsa-[\w-]+) [A-Za-z0-9+/=]{20,}( [\w@.-]+)?/g, "$1 AAAAPUBLICKEY"],
  [/PVEAPIToken=\S+|[\w.-]+@\w+![\w.-]+=[0-9a-f-]{36}/g, "TOKEN"],
  [/127\.0\.0\.1:\d+/g, "127.0.0.1:8006"],
];

/** Returns the lines of a log to keep, each an event in JSON. Debug messages hold secrets, so they are dropped. */
export function scrub(events: readonly EngineEvent[], secrets: readonly string[] = []): string[] {
  const refresh = events.some(({ resourcePreEvent: pre }) => pre?.metadata.op === "refresh");
  const kept = events.flatMap((event) => keepEssential(event, refresh));
  return kept.map((event) => {
    const line = JSON.stringify(event, (_, value: unknown) =>
      typeof value === "string" ? scrubText(value) : value,
    );
    if (secrets.some((secret) => secret !== "" && line.includes(secret)))
      throw new Error("an event holds a secret; nothing was written");
    return line;
  });
}

function keepEssential(event: EngineEvent, refresh: boolean): object[] {
  const { resourcePreEvent, resOutputsEvent, diagnosticEvent, policyEvent, summaryEvent } = event;
  if (resourcePreEvent)
    return [{ resourcePreEvent: { metadata: stepOf(resourcePreEvent.metadata) } }];
  // What a preview's resources became says nothing the event before did not; a refresh's do.
  if (resOutputsEvent && refresh)
    return [{ resOutputsEvent: { metadata: stepOf(resOutputsEvent.metadata) } }];
  if (diagnosticEvent && (diagnosticEvent.severity as string) !== "debug")
    return [{ diagnosticEvent }];
  if (policyEvent) return [{ policyEvent }];
  return summaryEvent ? [{ summaryEvent: { ...summaryEvent, durationSeconds: 0 } }] : [];
}

function stepOf({
  op,
  urn,
  type,
  keys,
  diffs,
  detailedDiff,
  logical,
  old,
  new: now,
}: Step): object {
  const whole = op !== "same";
  const sides = { old: old && stateOf(old, whole), new: now && stateOf(now, whole) };
  return { op, urn, type, keys, diffs, detailedDiff, logical, ...sides };
}

function stateOf(
  { urn, type, parent, protect, retainOnDelete, inputs, outputs }: State,
  whole: boolean,
): object {
  return { urn, type, parent, protect, retainOnDelete, ...(whole ? { inputs, outputs } : {}) };
}

function scrubText(text: string): string {
  const parts = splitStdin(text);
  const short = parts ? `${parts.variables}\n${digestOf(parts.script)}` : text;
  const local = short
    .replaceAll(ROOT, "REPOSITORY")
    .replaceAll(tmpdir(), "TMP")
    .replaceAll(homedir(), "HOME");
  return REPLACED.reduce((result, [what, by]) => result.replace(what, by), local);
}

/** A script by its hash: what matters is whether it is the same. */
function digestOf(script: string): string {
  const [first = ""] = script.split("\n", 1);
  return `${first}\n# sha256 ${createHash("sha256").update(script).digest("hex").slice(0, 16)}`;
}
