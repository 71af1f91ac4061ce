import type { NodeConfig } from "../schema";

/** Reports a value that is not right: its path below the node, the value, and what is allowed. */
export type Report = (path: string, value: unknown, allowed: string) => void;

/** Looks at one node whose shape is right. */
export type Check = (node: NodeConfig, report: Report) => void;
