/** Differences between two texts, line by line. */

/** Lines that went (`- `) and came (`+ `), in order; lines both have are left out. */
export function lineDiff(before: string, after: string): string[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const kept = commonLines(a, b);
  const lines: string[] = [];
  let [i, j] = [0, 0];
  for (const line of [...kept, undefined]) {
    while (i < a.length && a[i] !== line) lines.push(`- ${a[i++] ?? ""}`);
    while (j < b.length && b[j] !== line) lines.push(`+ ${b[j++] ?? ""}`);
    i += 1;
    j += 1;
  }
  return lines;
}

/** The longest common subsequence, by the textbook table. */
function commonLines(a: readonly string[], b: readonly string[]): string[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const at = (i: number, j: number): number => table[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) {
      const row = table[i] as Uint32Array;
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  const common: string[] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      common.push(a[i] ?? "");
      i += 1;
      j += 1;
    } else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return common;
}
