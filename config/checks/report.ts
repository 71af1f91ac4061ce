import type { NodeConfig } from "../schema";

/** Reports a wrong value: its path below the node, the value, and what is allowed. */
export type Report = (path: string, value: unknown, allowed: string) => void;

/** Checks one node that fits the schema. `now` is the time that decides what has expired. */
export type Check = (node: NodeConfig, report: Report, now: Date) => void;
