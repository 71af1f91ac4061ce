/** Tries the rows of a node one after the other, so that no measurement disturbs another. */
import { messageOf } from "../../clients/failure";
import type { Outside } from "../command";
import type { Result, Row } from "./row";
import type { Subject } from "./subject";

/** How people are told: `show` of the row that is under way, `warn` of every row that was tried. */
export type Progress = Pick<Outside, "show" | "warn">;

/** Tries the rows and returns a result for each. @throws Error when `signal` is aborted */
export async function tryRows(
  subject: Subject,
  rows: readonly Row[],
  signal: AbortSignal,
  { show, warn }: Progress,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, row] of rows.entries()) {
    signal.throwIfAborted();
    show(`${subject.name}: ${row.title} is measured, ${index + 1} of ${rows.length}`);
    const result = await tryRow(subject, row);
    warn(`${result.node}: ${result.title}: ${result.state}`);
    results.push(result);
  }
  return results;
}

async function tryRow(subject: Subject, row: Row): Promise<Result> {
  const { id, title, how } = row;
  const threshold = row.threshold(subject);
  const base = { node: subject.name, id, title, how, threshold };
  if (threshold === undefined) return { ...base, state: "not declared" };
  try {
    const { holds, figure } = await row.measure(subject);
    return { ...base, figure, state: holds ? "held" : "not held" };
  } catch (error) {
    const reason = messageOf(error);
    return { ...base, reason, state: "not measured" };
  }
}
