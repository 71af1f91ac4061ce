/** What the import prints. */
import { stringify } from "yaml";
import type { Draft } from "./draft";
import { tableRows } from "../table";
import type { Finding } from "./finding";

const TITLES: readonly (readonly [Finding["kind"], string])[] = [
  ["refuse", "In the way"],
  ["adopt", "Adopted, as it is"],
  ["change", "Changed by the next up"],
  ["leave", "Left alone"],
  ["waive", "Needs a waiver before the next up (docs/reference/security.md)"],
];

/** Findings by kind, refusals first. */
export function findingsText(findings: readonly Finding[]): string {
  const rows = tableRows(findings.map(({ what, why }) => [`  ${what}`, why]));
  const blocks = TITLES.flatMap(([kind, title]) => {
    const own = rows.filter((_, at) => findings[at]?.kind === kind);
    return own.length === 0 ? [] : [[`${title}:`, ...own].join("\n")];
  });
  return blocks.join("\n\n");
}

/** The node as it will be written. */
export function nodeText(name: string, { node }: Draft): string {
  return stringify({ [name]: node }, { lineWidth: 0 });
}

/** What was found and done, for programs. */
export function toJson(name: string, { node, findings }: Draft, written: boolean): string {
  return JSON.stringify({ name, written, findings, node }, null, 2);
}
