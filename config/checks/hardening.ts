import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** The hardening unit `ssh` forbids root logins, so with the user root it would lock the program out. */
export function checkLogin({ ssh, hardening }: NodeConfig, report: Report): void {
  if (hardening.ssh && ssh.user === "root")
    report("ssh/user", ssh.user, "a user other than root, or hardening.ssh: false with its waiver");
}
