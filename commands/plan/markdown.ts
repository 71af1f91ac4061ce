/** A plan as Markdown, for a comment on a pull request or a job's summary. */
import { escapeMarkup } from "../markup";
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

/** The whole plan; values are only ever shown inside code, where nothing of them takes effect. */
export function toMarkdown(plan: Plan, risks: readonly Risk[]): string {
  const blocks = [
    `### ${headingOf(plan)} ${codeSpan(plan.stack || "(unnamed)")}`,
    plan.failed ? "**The preview failed: this plan is incomplete.**" : "",
    `**${planInWords(plan)}**`,
    riskTable(risks),
    ...plan.nodes
      .filter(({ changes }) => changes.length > 0)
      .map((node) => nodeText(node, plan.kind)),
    ...(plan.looks ?? []).map(lookText),
    diagnosticsText(plan.diagnostics),
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

function riskTable(risks: readonly Risk[]): string {
  if (risks.length === 0) return "";
  const rows = risks.map(({ severity, label, node, explanation, details }) => {
    const about = details.map((detail) => ` ${codeSpan(detail)}`).join("");
    const grade = severity === "danger" ? "**danger**" : severity;
    return `| ${grade} | ${codeSpan(label)} | ${codeSpan(node)} | ${explanation}${about} |`;
  });
  return ["| | risk | node | what happens |", "|---|---|---|---|", ...rows].join("\n");
}

function nodeText({ name, counts, changes }: NodePlan, kind: Plan["kind"]): string {
  const lines = changes.flatMap(changeLines);
  const summary = `<summary>${escapeHtml(name)}: ${countsInWords(counts, kind)}</summary>`;
  return `<details open>${summary}\n\n${fence("diff", lines)}\n\n</details>`;
}

function lookText(look: NodeLook): string {
  const summary = `<summary>On ${escapeHtml(look.name)}</summary>`;
  return `<details open>${summary}\n\n${fence("text", lookLines(look))}\n\n</details>`;
}

/** In a `diff` block, a line's first character gives it its colour. */
function changeLines(change: Change): string[] {
  const sign = change.action === "update" ? "!" : (SIGNS[change.action][0] ?? "");
  const word = change.action === "replace" ? "replace " : "";
  const title = `${change.action === "replace" ? "-" : sign} ${word}${change.name} (${shortType(change.type)})`;
  return [title, ...reasonsOf(change).map((line) => `    ${line}`)];
}

function diagnosticsText(diagnostics: readonly Diagnostic[]): string {
  if (diagnostics.length === 0) return "";
  const lines = diagnostics.flatMap(({ severity, message, resources }) => {
    const about = resources.length > 0 ? ` (${resources.join(", ")})` : "";
    return `${severity}${about}: ${message}`.split("\n");
  });
  return fence("text", lines);
}

/** A code block whose fence is longer than any run of backticks in it. */
function fence(language: string, lines: readonly string[]): string {
  const body = clean(lines.join("\n"));
  const mark = "`".repeat(Math.max(3, longestRun(body) + 1));
  return `${mark}${language}\n${body}\n${mark}`;
}

/** Code within a line; a pipe would end a cell of the table. */
function codeSpan(text: string): string {
  const body = clean(text).replaceAll("\n", " ").replaceAll("|", "\\|");
  const mark = "`".repeat(longestRun(body) + 1);
  return mark === "`" ? `\`${body}\`` : `${mark} ${body} ${mark}`;
}

const longestRun = (text: string): number =>
  Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));

const escapeHtml = (text: string): string => escapeMarkup(clean(text));
