/** Reports results, for people and for programs. Secrets are removed from every text. */
import { hideSecrets } from "../../config/secrets";
import { tableRows } from "../table";
import type { Result, Status } from "./types";

const MARKS: Readonly<Record<Status, string>> = { pass: "✓", warn: "!", fail: "✗", skip: "-" };

/** Hides every secret in the results. */
export function redact(results: readonly Result[], secrets: readonly string[]): Result[] {
  const clean = (text: string): string => hideSecrets(text, secrets);
  return results.map(({ id, status, title, detail, fix }) => ({
    id: clean(id),
    status,
    title: clean(title),
    detail: clean(detail),
    ...(fix === undefined ? {} : { fix: clean(fix) }),
  }));
}

/** Renders a table for a terminal. The fix stands below its failure. */
export function toTable(results: readonly Result[]): string {
  const rows = results.flatMap(({ status, title, detail, fix }) => [
    [`${MARKS[status]} ${title}`, detail],
    ...(fix ? [["", `→ ${fix.replaceAll("\n", "\n  ")}`]] : []),
  ]);
  return [...tableRows(rows), "", summarize(results)].join("\n");
}

function summarize(results: readonly Result[]): string {
  const count = (status: Status): number => results.filter((one) => one.status === status).length;
  const parts = [
    `${count("pass")} passed`,
    `${count("warn")} warned`,
    `${count("fail")} failed`,
    `${count("skip")} skipped`,
  ];
  const verdict = isReady(results) ? "ready for pulumi up" : "not ready";
  return `${parts.join(", ")}: ${verdict}`;
}

/** Renders the results as JSON for programs. */
export function toJson(stack: string, results: readonly Result[]): string {
  return JSON.stringify({ stack, ready: isReady(results), checks: results }, null, 2);
}

/** Whether no check failed. */
export function isReady(results: readonly Result[]): boolean {
  return !results.some(({ status }) => status === "fail");
}
