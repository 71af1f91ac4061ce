import { intersects } from "semver";
import { DAEMON_KEYS, type DaemonConfig } from "../../daemon";
import type { NodeConfig } from "../../schema";
import type { Report } from "../report";

/**
 * Whether a release is older than another. A short version means the newest release that begins with it, so "28" is
 * not before "28.2".
 */
export function isBefore(version: string, other: string): boolean {
  return !intersects(version, `>=${other}`);
}

export function checkKeyVersions({ engine }: NodeConfig, report: Report): void {
  for (const key of Object.keys(engine.daemon) as (keyof DaemonConfig)[]) {
    const { since }: { since?: string } = DAEMON_KEYS[key];
    if (engine.daemon[key] !== undefined && since && isBefore(engine.version, since)) {
      report(
        `engine/daemon/${key}`,
        engine.daemon[key],
        `needs Docker ${since} or later; version is ${engine.version}`,
      );
    }
  }
}
