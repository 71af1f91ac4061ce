/** Differences between two texts, line by line. */
import { diffArrays } from "diff";

/** Lines that went (`- `) and came (`+ `), in order; lines both have are left out. */
export function lineDiff(before: string, after: string): string[] {
  return diffArrays(before.split("\n"), after.split("\n")).flatMap(({ added, removed, value }) => {
    if (!added && !removed) return [];
    return value.map((line) => `${added ? "+" : "-"} ${line}`);
  });
}
