/**
 * Rows for a terminal, a text each: every column as wide as its widest line, two spaces between columns. A cell
 * of several lines goes on below itself.
 */
export function tableRows(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map(({ length }) => length));
  const lines = rows.map((row) => Array.from({ length: columns }, (_, at) => linesOf(row[at])));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...lines.flatMap((row) => row[at] ?? []).map(({ length }) => length)),
  );
  return lines.map((row) => rowText(row, widths));
}

const linesOf = (cell = ""): string[] => cell.split("\n");

function rowText(row: readonly (readonly string[])[], widths: readonly number[]): string {
  const height = Math.max(...row.map(({ length }) => length));
  const lineAt = (at: number): string =>
    widths
      .map((width, column) => (row[column]?.[at] ?? "").padEnd(width))
      .join("  ")
      .trimEnd();
  return Array.from({ length: height }, (_, at) => lineAt(at)).join("\n");
}
