import type { Check } from "../report";
import { checkBinds, checkMountPaths, checkVolumes } from "./mounts";
import { checkNetworks, checkPorts } from "./network";
import { checkDependencies, checkLabels, checkLimits, checkUsers } from "./own";

/** Checks of workloads against their node, and against one another. */
export const WORKLOAD_CHECKS: readonly Check[] = [
  checkDependencies,
  checkLabels,
  checkLimits,
  checkNetworks,
  checkPorts,
  checkUsers,
  checkVolumes,
  checkBinds,
  checkMountPaths,
];
