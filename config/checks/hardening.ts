import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** The unit `ssh` lets nobody in as root: the program itself would be locked out. */
export function checkLogin({ ssh, hardening }: NodeConfig, report: Report): void {
  if (hardening.ssh && ssh.user === "root")
    report("ssh/user", ssh.user, "a user other than root, or hardening.ssh: false with its waiver");
}
