/** Reads Pulumi's events, as `--event-log` writes them and the Automation API delivers them. */
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { nameOf } from "../../clients/pulumi/urn";
import { diagnosticsOf } from "./diagnostics";
import { nodeNames } from "./nodes";
import { CLUSTER, type Action, type Change, type Counts, type NodePlan, type Plan } from "./model";
import { isReordered, propertyChanges } from "./properties";
import { readableProperties } from "./values";

type Step = NonNullable<EngineEvent["resourcePreEvent"]>["metadata"];

/** Operations of Pulumi (pkg/resource/deploy/step.go). Others are parts of these. */
const ACTIONS: Readonly<Record<string, Action>> = {
  same: "same",
  create: "create",
  update: "update",
  delete: "delete",
  replace: "replace",
  import: "import",
  "import-replacement": "replace",
  // A resource that only this stack forgets or reads.
  read: "same",
  "read-replacement": "same",
  // Left over by an interrupted `up`, deleted by the next.
  "discard-replaced": "same",
};

/** What Pulumi keeps for itself: the stack, and what the program asks for its state (clients/pulumi/running.ts). */
const PULUMIS = ["pulumi:pulumi:Stack", "pulumi:providers:pulumi"];

/** The plan that a preview's events tell. Also reads `refresh --preview-only`: what drifted is the change. */
export function planOf(events: readonly EngineEvent[], stack = ""): Plan {
  const steps = stepsOf(events);
  const nodeOf = nodeNames(steps);
  const found = steps.map((step) => ({ step, action: actionOf(step), node: nodeOf(step) }));
  const names = [...new Set(found.map(({ node }) => node))].sort(compareNames);
  const nodes = names.map((name): NodePlan => {
    const own = found.filter(({ node }) => node === name);
    const changes = own.flatMap(({ step, action }) => changeOf(step, action, name));
    return { name, changes, counts: count(own.map(({ action }) => action)) };
  });
  const diagnostics = diagnosticsOf(events);
  return {
    kind: isRefresh(events) ? "drift" : "preview",
    stack: stack || stackOf(steps),
    nodes,
    counts: count(found.map(({ action }) => action)),
    diagnostics,
    failed: hasFailed(events) || diagnostics.some(({ severity }) => severity === "error"),
  };
}

const isRefresh = (events: readonly EngineEvent[]): boolean =>
  events.some(({ resourcePreEvent }) => resourcePreEvent?.metadata.op === "refresh");

/** A preview that fails ends without a summary, or with one that says so. */
function hasFailed(events: readonly EngineEvent[]): boolean {
  const summary = events.find((event) => event.summaryEvent)?.summaryEvent;
  return !summary || (summary as { result?: string }).result === "failed";
}

/**
 * One step a resource, in the order Pulumi came to them. A replacement is three steps, of which
 * `replace` is the one meant for people. A refresh only knows afterwards what it found.
 */
function stepsOf(events: readonly EngineEvent[]): Step[] {
  const steps = new Map<string, Step>();
  for (const event of events) {
    const { metadata } = event.resourcePreEvent ?? {};
    if (metadata && isPlanned(metadata)) steps.set(metadata.urn, metadata);
    const after = event.resOutputsEvent?.metadata;
    if (after && steps.get(after.urn)?.op === "refresh")
      steps.set(after.urn, isReordered(after) ? { ...after, op: "same" } : after);
  }
  return [...steps.values()];
}

const isPlanned = ({ op, type }: Step): boolean =>
  (op in ACTIONS || op === "refresh") && !PULUMIS.includes(type);

const actionOf = ({ op }: Step): Action => ACTIONS[op] ?? "same";

function changeOf(step: Step, action: Action, node: string): Change[] {
  if (action === "same") return [];
  const properties = action === "update" || action === "replace" ? propertyChanges(step) : [];
  return [
    {
      action,
      urn: step.urn,
      type: step.type,
      name: nameOf(step.urn),
      node,
      properties,
      because: action === "replace" ? (step.keys ?? []) : [],
      uncertain: action === "update" && properties.length === 0,
      retained: action === "delete" && step.old?.retainOnDelete === true,
      old: readableProperties(step.old?.inputs),
      new: readableProperties(step.new?.inputs),
    },
  ];
}

function count(actions: readonly Action[]): Counts {
  const counts = { create: 0, update: 0, replace: 0, delete: 0, import: 0, same: 0 };
  for (const action of actions) counts[action] += 1;
  return counts;
}

const stackOf = ([step]: readonly Step[]): string =>
  /^urn:pulumi:([^:]+)::/.exec(step?.urn ?? "")?.[1] ?? "";

const compareNames = (a: string, b: string): number =>
  Number(b === CLUSTER) - Number(a === CLUSTER) || (a < b ? -1 : 1);
