/** Alert rules and dashboard of `contract/monitoring/`. */
import { parse } from "yaml";
import { read } from "./documents";

export const RULES = "contract/monitoring/alerts.yml";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string };
}

export const rules: readonly Rule[] = (
  parse(read(RULES)) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}
interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly Panel[];
}

export const dashboard = JSON.parse(read("contract/monitoring/dashboard.json")) as Dashboard;

/** Panels that draw something. */
export const drawn = dashboard.panels.filter(({ type }) => type !== "row");

/** Every query of the dashboard. */
export const queries = drawn.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Names of metrics in a query: words that are no function, keyword, label or text. */
export function metricsIn(expr: string): string[] {
  const bare = expr
    .replace(/"[^"]*"/g, "")
    .replace(/\{[^}]*\}/g, "")
    .replace(/\[[^\]]*\]/g, "")
    .replace(/\b(by|on|group_left)\s*\([^)]*\)/g, "");
  return (bare.match(/\b[a-z_]\w*\b(?!\s*\()/gi) ?? []).filter(
    (word) => !["and", "or", "unless", "sum", "avg", "count"].includes(word),
  );
}
