import { isDaily } from "../backups";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/**
 * At most 24 hours of a volume's or the VM's work may be lost (docs/reference/specification.md, section 4), and no two kinds begin at
 * one time: on the node they would wait for one another, and pbs01 would get all load at once.
 */
export function checkBackups({ backups }: NodeConfig, report: Report): void {
  if (!backups) return;
  const taken = new Map<string, string>();
  for (const kind of ["volumes", "configuration", "images", "vm"] as const) {
    const schedule = backups[kind]?.schedule;
    if (!schedule) continue;
    const path = `backups/${kind}/schedule`;
    const time = schedule.slice(-5);
    const other = taken.get(time);
    if (other) report(path, schedule, `a time of its own; ${other} begins at ${time}`);
    taken.set(time, kind);
    if ((kind === "volumes" || kind === "vm") && !isDaily(schedule))
      report(path, schedule, 'a time of day, such as "02:30": at most 24 hours may be lost');
  }
}
