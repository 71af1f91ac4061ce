/* Values of compose files in the units of workloads. What is in another form stays as it is, so that its check names it. */

const SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

/** Seconds of a duration such as `1m30s`. */
export function toSeconds(duration: unknown): unknown {
  if (typeof duration !== "string" || !/^(\d+[hms])+$/.test(duration)) return duration;
  const parts = [...duration.matchAll(/(\d+)([hms])/g)];
  return parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ""] ?? 0),
    0,
  );
}

const BYTES: Readonly<Record<string, number>> = { "": 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** MiB of a size such as `134217728` or `64m`. */
export function toMebibytes(size: unknown): unknown {
  const [, count, unit] = /^(\d+)([bkmg]?)b?$/i.exec(String(size)) ?? [];
  if (count === undefined) return size;
  return (Number(count) * (BYTES[(unit ?? "").toLowerCase()] ?? 1)) / 2 ** 20;
}

/** A number that compose writes as text. */
export const toNumber = (value: unknown): unknown =>
  typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
