import { isDaily } from "../backups";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/**
 * Checks the times of backups. At most 24 hours of work may be lost (docs/reference/specification.md, section 4), so
 * volumes and VM are backed up daily. No two kinds start at the same time: on the node they would wait for each other,
 * and the backup server would get all the load at once.
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
    if (other) report(path, schedule, `a time of its own; ${other} starts at ${time}`);
    taken.set(time, kind);
    if ((kind === "volumes" || kind === "vm") && !isDaily(schedule))
      report(path, schedule, 'a time of day, such as "02:30": at most 24 hours may be lost');
  }
}
