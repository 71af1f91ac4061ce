import type { Check } from "../report";
import { checkCgroups, checkRuntimes, checkSeccomp, checkUlimits } from "./containers";
import { checkBuilder, checkLabels, checkLogOptions, checkMetricsAddress } from "./daemon";
import {
  checkDefaultOptions,
  checkDocker0,
  checkDocker0Users,
  checkFirewall,
  checkIpv6,
  checkPools,
} from "./network";
import { checkImageStore, checkStorageDriver, checkStorageOptions } from "./storage";
import { checkKeyVersions } from "./versions";

/** Checks that look at several keys of daemon.json: keys that exclude or need each other, versions, overlaps. */
export const DAEMON_CHECKS: readonly Check[] = [
  checkImageStore,
  checkStorageDriver,
  checkStorageOptions,
  checkSeccomp,
  checkUlimits,
  checkRuntimes,
  checkCgroups,
  checkLogOptions,
  checkMetricsAddress,
  checkLabels,
  checkBuilder,
  checkKeyVersions,
  checkFirewall,
  checkDefaultOptions,
  checkDocker0,
  checkDocker0Users,
  checkIpv6,
  checkPools,
];
