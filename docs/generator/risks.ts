/** docs/reference/risks.md, from the rules that find the risks of a plan. */
import { RULES } from "../../commands/plan/risks";
import { SEVERITIES, type Rule } from "../../commands/plan/rules/rule";
import { tableRow } from "./schema-table";

const INTRO = `# Risks

Generated from \`commands/plan/rules/\` by \`npm run docs\`; do not edit.

A plan puts these labels on changes, the gravest first. \`--fail-on\` and the workflows look at the severity.
[Review changes](../how-to/review-changes.md) says how.
`;

const UNKNOWN = `"May change" stands where Pulumi cannot know yet. After a change of the daemon, for instance, \`up\` checks everything
that goes through its Docker provider.
`;

/** The whole page. */
export function risksPage(): string {
  const gravityOf = ({ severity }: Rule): number => -SEVERITIES.indexOf(severity);
  const rows = [...RULES]
    .sort((a, b) => gravityOf(a) - gravityOf(b))
    .map(({ label, severity, explanation }) => tableRow([`\`${label}\``, severity, explanation]));
  const table = ["| risk | severity | what happens |", "|---|---|---|", ...new Set(rows)];
  return [INTRO, ...table, "", UNKNOWN].join("\n");
}
