/** A plan for a terminal. */
import { styleText } from "node:util";
import {
  clean,
  countsInWords,
  headingOf,
  lookLines,
  planInWords,
  reasonsOf,
  shortType,
  SIGNS,
} from "./describe";
import type { Change, Diagnostic, NodeLook, NodePlan, Plan } from "./model";
import type { Risk } from "./risks";
import type { Severity } from "./rules/rule";

type Paint = (colour: Colour, text: string) => string;

type Colour = "red" | "green" | "yellow" | "magenta" | "cyan" | "bold";

const OF_ACTION: Readonly<Record<Change["action"], Colour>> = {
  create: "green",
  update: "yellow",
  replace: "magenta",
  delete: "red",
  import: "cyan",
};
const OF_SEVERITY: Readonly<Record<Severity, Colour>> = {
  danger: "red",
  caution: "yellow",
  info: "cyan",
};

/** The whole plan: what is at risk first, then node by node what changes, then what Pulumi said. */
export function toTerminal(plan: Plan, risks: readonly Risk[], colour = false): string {
  // Who calls has looked at the stream and NO_COLOR.
  const paint: Paint = (name, text) =>
    colour ? styleText(name, text, { validateStream: false }) : text;
  const title = `${headingOf(plan)} ${plan.stack || "(unnamed)"}: ${planInWords(plan)}`;
  const blocks = [
    paint("bold", clean(title)),
    risks.map((risk) => riskLine(risk, paint)).join("\n"),
    ...plan.nodes
      .filter(({ changes }) => changes.length > 0)
      .map((node) => nodeText(node, plan.kind, paint)),
    ...(plan.looks ?? []).map((look) => lookText(look, paint)),
    plan.diagnostics.map((diagnostic) => diagnosticText(diagnostic, paint)).join("\n"),
    plan.failed ? paint("red", "The preview failed: this plan is incomplete.") : "",
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

function riskLine({ severity, label, node, explanation, details }: Risk, paint: Paint): string {
  const about = details.length > 0 ? ` [${details.join(", ")}]` : "";
  const head = paint(OF_SEVERITY[severity], `${severity.padEnd(8)}${label.padEnd(24)}`);
  return `${head}${clean(`${node}: ${explanation}${about}`)}`;
}

function nodeText({ name, counts, changes }: NodePlan, kind: Plan["kind"], paint: Paint): string {
  const title = paint("bold", clean(`${name}: ${countsInWords(counts, kind)}`));
  return [title, ...changes.flatMap((change) => changeText(change, paint))].join("\n");
}

function lookText(look: NodeLook, paint: Paint): string {
  const lines = lookLines(look).map((line) => `  ${clean(line)}`);
  return [paint("bold", clean(`On ${look.name}:`)), ...lines].join("\n");
}

function changeText(change: Change, paint: Paint): string[] {
  const title = `  ${SIGNS[change.action].padEnd(2)} ${change.name} (${shortType(change.type)})`;
  const lines = reasonsOf(change).map((line) => clean(`       ${line}`));
  return [paint(OF_ACTION[change.action], clean(title)), ...lines];
}

function diagnosticText({ severity, message, resources }: Diagnostic, paint: Paint): string {
  const about = resources.length > 0 ? ` (${resources.join(", ")})` : "";
  const head = paint(severity === "error" ? "red" : "yellow", `${severity}${clean(about)}:`);
  return `${head} ${clean(message).replaceAll("\n", "\n  ")}`;
}
