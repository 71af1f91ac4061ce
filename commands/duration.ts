/** Seconds in words. */

export const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** `3 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`: the two leading units. */
export function durationText(seconds: number): string {
  const units = [
    ["d", 24 * HOUR],
    ["h", HOUR],
    ["min", MINUTE],
    ["s", 1],
  ] as const;
  let rest = Math.max(0, Math.round(seconds));
  const parts = units.flatMap(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count > 0 ? [`${count} ${unit}`] : [];
  });
  return parts.slice(0, 2).join(" ") || "0 s";
}
