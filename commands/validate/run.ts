/** Tries the rows of a node one after the other, so that no measurement disturbs another. */
import { messageOf } from "../../clients/failure";
import type { Print } from "../command";
import type { Result, Row } from "./row";
import type { Subject } from "./subject";

/** @param progress told of every row when it is tried */
export async function tryRows(
  subject: Subject,
  rows: readonly Row[],
  signal: AbortSignal,
  progress: Print,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const row of rows) {
    signal.throwIfAborted();
    const result = await tryRow(subject, row);
    progress(`${result.node}: ${result.title}: ${result.state}`);
    results.push(result);
  }
  return results;
}

async function tryRow(subject: Subject, row: Row): Promise<Result> {
  const { id, title, how } = row;
  const threshold = row.threshold(subject.node);
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
