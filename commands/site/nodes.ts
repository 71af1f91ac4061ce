/** Which nodes of a stack a command is for. */
import { UsageError } from "../command";
import type { Opened } from "./open";

/** Those that are named, all of the stack when none is. @throws UsageError for one that the stack does not have */
export function chooseNodes(wanted: readonly string[], { settings }: Opened): readonly string[] {
  const all = Object.keys(settings.nodes);
  const unknown = wanted.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new UsageError(`node ${unknown}; allowed: ${all.join(", ")}`);
  return wanted.length > 0 ? wanted : all;
}
