import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Refuses an override without effect: its resource is not declared, or is adopted and stays as it is. */
export function checkOverride(
  { override, portainer, backups, adopt }: NodeConfig,
  report: Report,
): void {
  if (!override) return;
  const nothing = (part: string, value: unknown, without: string): void => {
    report(`override/${part}`, value, `nothing ${without}`);
  };
  if (override.agent && !portainer) nothing("agent", override.agent, "without a portainer section");
  if (override.agent && adopt.agent)
    nothing("agent", override.agent, "with adopt.agent: an adopted container stays as it is");
  if (override.backup && !backups) nothing("backup", override.backup, "without a backups section");
}
