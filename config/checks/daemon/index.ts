import type { Check } from "../report";
import { checkCgroups, checkRuntimes, checkSeccomp, checkUlimits } from "./containers";
import { checkBuilder, checkLabels, checkLogOptions } from "./daemon";
import { checkDefaultOptions, checkDocker0, checkFirewall, checkIpv6, checkPools } from "./network";
import { checkImageStore, checkStorageDriver, checkStorageOptions } from "./storage";
import { checkKeyVersions } from "./versions";

/** What no single key of daemon.json can tell: keys that exclude or need one another, versions, overlap. */
export const DAEMON_CHECKS: readonly Check[] = [
  checkImageStore,
  checkStorageDriver,
  checkStorageOptions,
  checkSeccomp,
  checkUlimits,
  checkRuntimes,
  checkCgroups,
  checkLogOptions,
  checkLabels,
  checkBuilder,
  checkKeyVersions,
  checkFirewall,
  checkDefaultOptions,
  checkDocker0,
  checkIpv6,
  checkPools,
];
