/** Leading numbers of a version: `v3.200.0-dev` → 3, 200, 0. */
function numbers(version: string): number[] {
  return (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? "").split(".").map(Number);
}

/** Is a version the wanted one or later? */
export function atLeast(version: string, wanted: string): boolean {
  const [have, want] = [numbers(version), numbers(wanted)];
  for (const [index, number] of want.entries()) {
    const difference = (have[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Does a version lie in a range of the form `>=20 <25`? */
export function inRange(version: string, range: string): boolean {
  return range.split(/\s+/).every((bound) => {
    if (bound.startsWith(">=")) return atLeast(version, bound);
    if (bound.startsWith("<")) return !atLeast(version, bound);
    throw new Error(`"${range}" has a form this does not know`);
  });
}
