import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Refuses an override without effect: its resource is not declared, or is adopted and stays as it is. */
export function checkOverride(
  { override, portainer, backups, adopt }: NodeConfig,
  report: Report,
): void {
  if (!override) return;
  const refusePart = (part: string, value: unknown, without: string): void => {
    report(`override/${part}`, value, `nothing ${without}`);
  };
  if (override.agent && !portainer)
    refusePart("agent", override.agent, "without a portainer section");
  if (override.agent && adopt.agent)
    refusePart("agent", override.agent, "with adopt.agent: an adopted container stays as it is");
  if (override.backup && !backups)
    refusePart("backup", override.backup, "without a backups section");
}
