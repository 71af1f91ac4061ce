import { attempt } from "../partial";
import type { Problem } from "../problems";
import type { NodeConfig } from "../schema";
import { checkAdopted } from "./adopt";
import { checkBackups } from "./backups";
import { DAEMON_CHECKS } from "./daemon";
import { checkLogin } from "./hardening";
import { checkBridgeIpv6 } from "./ipv6";
import { checkLanNetworks } from "./lan";
import { checkAvailability, checkDisks, checkImage } from "./machine";
import { checkMonitoring } from "./monitoring";
import { checkMtu, checkMtu6 } from "./mtu";
import { checkAddresses, checkFirewall, checkManagement, checkServers } from "./network";
import { checkOverride } from "./override";
import { checkOwnNetworks } from "./own-networks";
import { checkMirrorKey } from "./packages";
import { checkEdge, checkNextAgent } from "./portainer";
import { checkAuthorities } from "./registries";
import type { Check, Report } from "./report";
import { checkContainerNetworks } from "./subnets";
import { WORKLOAD_CHECKS } from "./workloads";

export { checkFleet } from "./fleet";

/*
 * Checks that look at several fields of a node: membership, overlaps, versions. Each check reports the problems that it
 * finds and changes nothing. Paths are those of the merged node.
 */

const CHECKS: readonly Check[] = [
  checkAddresses,
  checkOwnNetworks,
  checkDisks,
  checkImage,
  checkAvailability,
  checkMirrorKey,
  checkFirewall,
  checkManagement,
  checkServers,
  ...DAEMON_CHECKS,
  checkContainerNetworks,
  checkBridgeIpv6,
  checkLanNetworks,
  checkMtu,
  checkMtu6,
  checkAdopted,
  checkAuthorities,
  checkBackups,
  checkEdge,
  checkNextAgent,
  checkMonitoring,
  checkOverride,
  checkLogin,
  ...WORKLOAD_CHECKS,
];

/** Returns the problems of one node. If parts of the node cannot be read, the checks that need them are skipped. */
export function checkNode(name: string, node: NodeConfig, now: Date): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, value, allowed) => {
    problems.push({ path: ["nodes", name, ...path.split("/")], value, allowed });
  };
  for (const check of CHECKS) {
    attempt(() => {
      check(node, report, now);
    });
  }
  return problems;
}
