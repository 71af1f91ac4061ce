import type { NodeConfig } from "../schema";

/** Reports a wrong value: its path below the node, the value, and what is allowed. */
export type Report = (path: string, value: unknown, allowed: string) => void;

/** Checks one node that fits the schema. */
export type Check = (node: NodeConfig, report: Report) => void;
