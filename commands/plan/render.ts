/** One plan, shown in three ways. */
import { changesAnything, propertyLines } from "./describe";
import { toMarkdown } from "./markdown";
import type { Change, Plan } from "./model";
import { risksOf, type Risk } from "./risks";
import { toTerminal } from "./terminal";

export const FORMATS = ["terminal", "markdown", "json"] as const;
export type Format = (typeof FORMATS)[number];

/** Shows a plan with its risks. */
export function render(plan: Plan, format: Format, { colour = false } = {}): string {
  const risks = risksOf(plan);
  if (format === "terminal") return toTerminal(plan, risks, colour);
  if (format === "markdown") return toMarkdown(plan, risks);
  return `${JSON.stringify(planJson(plan, risks), null, 2)}\n`;
}

/** What programs read. `version` grows when a field goes or changes its meaning. */
export interface PlanJson extends Pick<
  Plan,
  "kind" | "stack" | "failed" | "counts" | "diagnostics" | "looks"
> {
  readonly version: 1;
  /** Whether there is anything to do. */
  readonly changes: boolean;
  readonly risks: readonly Risk[];
  readonly nodes: readonly {
    readonly name: string;
    readonly counts: Plan["counts"];
    readonly changes: readonly ChangeJson[];
  }[];
}

export interface ChangeJson extends Pick<
  Change,
  "action" | "name" | "type" | "urn" | "because" | "uncertain" | "retained"
> {
  /** Differing properties in words, as the other formats show them. */
  readonly properties: readonly { readonly path: string; readonly lines: readonly string[] }[];
}

/** The plan without inputs, because programs get no more than people see. */
export function planJson(plan: Plan, risks: readonly Risk[] = risksOf(plan)): PlanJson {
  const { kind, stack, failed, counts, diagnostics, looks } = plan;
  const nodes = plan.nodes.map((node) => ({ ...node, changes: node.changes.map(changeJson) }));
  return {
    version: 1,
    kind,
    stack,
    failed,
    changes: changesAnything(plan),
    counts,
    risks,
    nodes,
    diagnostics,
    looks,
  };
}

function changeJson(change: Change): ChangeJson {
  const { action, name, type, urn, because, uncertain, retained, properties } = change;
  const lines = properties.map((property) => ({
    path: property.path,
    lines: propertyLines(property),
  }));
  return { action, name, type, urn, because, uncertain, retained, properties: lines };
}
