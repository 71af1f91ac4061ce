/** Which properties of a resource differ, and how. */
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { CONTAINER } from "../../config/resource-types";
import { HIDDEN } from "../../config/secrets";
import type { PropertyChange, Value } from "./model";
import { findDifferences, holdsSecret, readableProperties, valueAt } from "./values";

type Step = NonNullable<EngineEvent["resourcePreEvent"]>["metadata"];

/**
 * The differing properties, down to the leaves. The provider decides *which* properties differ; values come from
 * the inputs, or from the recorded state where the inputs agree, as after a change by hand.
 */
export function propertyChanges(step: Step): PropertyChange[] {
  const before = readableProperties(step.old?.inputs);
  const after = readableProperties(step.new?.inputs);
  const states: [Value, Value] = [
    readableProperties(step.old?.outputs),
    readableProperties(step.new?.outputs),
  ];
  const named = Object.keys(step.detailedDiff ?? {});
  const paths = named.length > 0 ? named : (step.diffs ?? []);
  if (paths.length === 0) return findDifferences("", before, after);
  const found = paths.flatMap((path) => changesAt(path, before, after, states));
  return [...new Map(found.map((change) => [change.path, change])).values()];
}

function changesAt(
  path: string,
  before: Value,
  after: Value,
  [state, refreshed]: [Value, Value],
): PropertyChange[] {
  const root = path.split(/[.[]/, 1)[0] ?? path;
  // A property that is secret as a whole is shown as one change, without its parts.
  if ([before, after].every((side) => isSecret(valueAt(side, root))))
    return [{ path: root, secret: true }];
  const [old, now] = [valueAt(before, path), valueAt(after, path)];
  const visible = findDifferences(path, old, now);
  if (visible.length > 0) return visible;
  // Both sides look alike: it is the secret in them that differs.
  if (holdsSecret(old) || holdsSecret(now)) return [{ path, secret: true }];
  const stored = valueAt(state, path);
  const drift = findDifferences(path, stored, valueAt(refreshed, path) ?? now);
  if (drift.length > 0) return drift;
  return [{ path, before: stored, after: now, secret: holdsSecret(stored) }];
}

/**
 * Whether a refresh found only another order of a container's ports. The provider reads a TCP and a UDP port of the same number in
 * no fixed order (components/workloads/ports.ts).
 */
export function isReordered({ type, old, new: now, diffs, detailedDiff }: Step): boolean {
  const named = [...(diffs ?? []), ...Object.keys(detailedDiff ?? {})];
  if (type !== CONTAINER || !named.every((path) => /^ports\b/.test(path))) return false;
  const [before, after] = [old?.outputs, now?.outputs].map(withSortedPorts);
  return findDifferences("", before, after).length === 0;
}

function withSortedPorts(outputs: unknown): Value {
  const { ports, ...others } = readableProperties(outputs);
  const all = Array.isArray(ports) ? ports.map((port) => JSON.stringify(port)) : [];
  return { ...others, ports: all.sort() };
}

/** A text with the marker somewhere in it, such as a script, is not secret as a whole. */
const isSecret = (value: Value | undefined): boolean => value === HIDDEN;
