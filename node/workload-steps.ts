import type { WorkloadConfig } from "../config/schema";
import { bind, type Script } from "./steps";

/* The steps of a workload. */

/** Seconds a workload's user may have to wait for Docker itself: it stops and starts two containers at most. */
const SWAP_SECONDS = 240;

/** Longest time that a container may have to end (config/schema/workloads.ts). The earlier one may have had it. */
const LONGEST_STOP_SECONDS = 300;

/** Seconds a workload may have to wait for others: they start one after the other, each until it is healthy. */
export const QUEUE_SECONDS = 7200;

/** Starts a workload's new container in the place of the earlier one. */
export function workloadStep(name: string, { readySeconds }: WorkloadConfig): Script {
  const variables = { WORKLOAD: name, READY_SECONDS: readySeconds };
  const limit = SWAP_SECONDS + readySeconds + 2 * LONGEST_STOP_SECONDS;
  return bind("workload", variables, limit, { wait: QUEUE_SECONDS });
}

/** Writes a workload's secrets for its user. */
export function workloadSecretsStep(name: string, user: number): Script {
  const variables = { WORKLOAD: name, OWNER: user };
  return bind("workload-secrets", variables, 180, { wait: QUEUE_SECONDS });
}
