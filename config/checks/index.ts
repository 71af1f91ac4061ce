import { attempt } from "../partial";
import type { Problem } from "../problems";
import type { NodeConfig } from "../schema";
import { checkAdopted } from "./adopt";
import { checkBackups } from "./backups";
import { DAEMON_CHECKS } from "./daemon";
import { checkLogin } from "./hardening";
import { checkLanNetworks } from "./lan";
import { checkDisks, checkImage } from "./machine";
import { checkAddresses, checkFirewall } from "./network";
import { checkOverride } from "./override";
import { checkMirrorKey } from "./packages";
import type { Check, Report } from "./report";
import { checkContainerNetworks } from "./subnets";

export { checkFleet } from "./fleet";

/*
 * What no single field can tell: membership, overlap, versions. Each check is a pure function that
 * returns the problems it sees; paths are those of the merged node.
 */

const CHECKS: readonly Check[] = [
  checkAddresses,
  checkDisks,
  checkImage,
  checkMirrorKey,
  checkFirewall,
  ...DAEMON_CHECKS,
  checkContainerNetworks,
  checkLanNetworks,
  checkAdopted,
  checkBackups,
  checkOverride,
  checkLogin,
];

/** Problems of one node; of one that is readable in part, those that can be seen. */
export function checkNode(name: string, node: NodeConfig): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, value, allowed) => {
    problems.push({ path: ["nodes", name, ...path.split("/")], value, allowed });
  };
  for (const check of CHECKS) {
    attempt(() => {
      check(node, report);
    });
  }
  return problems;
}
