import * as path from "node:path";
import type { Instance } from "./instance";

/**
 * Options that make all commands to a node share one connection (ControlMaster, ssh_config(5)): the first
 * takes an emulated CPU two seconds, each further one a quarter of a second. The connection ends with the machine, or a
 * minute after its last command.
 */
export function sharedConnection({ runDir }: Instance): string[] {
  const socket = path.join(runDir, "ssh-%p");
  const options = ["ControlMaster=auto", `ControlPath=${socket}`, "ControlPersist=60"];
  return options.flatMap((option) => ["-o", option]);
}
