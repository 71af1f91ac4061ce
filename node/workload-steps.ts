import type { NodeConfig, WorkloadConfig } from "../config/schema";
import { bind, type Script } from "./steps";

/* The steps of a workload. */

/** Seconds a workload's user may have to wait for Docker itself: it stops and starts two containers at most. */
const SWAP_SECONDS = 240;

/** Longest time that a container may have to end (config/schema/workloads.ts). The earlier one may have had it. */
const LONGEST_STOP_SECONDS = 300;

/** Least number of seconds that a step waits for those of workloads. */
const QUEUE_SECONDS = 7200;

/**
 * Seconds a step may have to wait for the workloads of its node: they start one after the other, each until it is healthy. 0 without
 * any.
 */
export function queueSeconds({ workloads }: NodeConfig): number {
  const limits = Object.values(workloads).map(swapLimit);
  if (limits.length === 0) return 0;
  return Math.max(
    QUEUE_SECONDS,
    limits.reduce((sum, limit) => sum + limit, 0),
  );
}

const swapLimit = ({ readySeconds }: WorkloadConfig): number =>
  SWAP_SECONDS + readySeconds + 2 * LONGEST_STOP_SECONDS;

/** Starts a workload's new container in the place of the earlier one. */
export function workloadStep(name: string, config: WorkloadConfig, node: NodeConfig): Script {
  const variables = { WORKLOAD: name, READY_SECONDS: config.readySeconds };
  return bind("workload", variables, swapLimit(config), { wait: queueSeconds(node) });
}

/** Writes a workload's secrets for its user. */
export function workloadSecretsStep(name: string, user: number, node: NodeConfig): Script {
  const variables = { WORKLOAD: name, OWNER: user };
  return bind("workload-secrets", variables, 180, { wait: queueSeconds(node) });
}
