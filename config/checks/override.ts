import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Refuses an override without effect: its resource is not declared, or is adopted and stays as it is. */
export function checkOverride(
  { override, portainer, backups, adopt }: NodeConfig,
  report: Report,
): void {
  if (!override) return;
  if (override.agent && !portainer)
    report("override/agent", override.agent, "needs a portainer section");
  if (override.agent && adopt.agent)
    report(
      "override/agent",
      override.agent,
      "leave it out with adopt.agent: an adopted container stays as it is",
    );
  if (override.backup && !backups)
    report("override/backup", override.backup, "needs a backups section");
}
