import type { NodeConfig } from "../../config/schema";
import type { Probe } from "../../clients/network";
import type { Run } from "../../clients/process";
import type { Cluster } from "../../clients/proxmox";
import type { Configuration } from "../../clients/pulumi/configuration";
import type { Manifest } from "../project";

/** How a check ended. `skip`: it does not apply, or something that it needs is missing. */
export type Status = "pass" | "warn" | "fail" | "skip";

/** The result of a check. */
export interface Finding {
  readonly status: Status;
  readonly detail: string;
  /** The command or edit that fixes the problem. */
  readonly fix?: string;
}

/** A finding and its check. */
export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
}

/** A check. It reads everything it needs from the context. */
export interface Check {
  readonly id: string;
  readonly title: string;
  run(context: Context): Finding | Promise<Finding>;
}

/** The input of all checks. */
export interface Context {
  readonly stack: string;
  readonly nodeVersion: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly manifest: Omit<Manifest, "version">;
  readonly configuration: Configuration;
  /** VM ids in the stack's state. */
  readonly managed: ReadonlySet<number>;
  readonly cluster?: Cluster;
  readonly run: Run;
  readonly probe: Probe;
  /** The time that decides whether a waiver still holds. */
  readonly now: Date;
  /** Milliseconds that a registry or Portainer may take to answer. */
  readonly patience: number;
}

/** A node of the stack with its name. */
export type NamedNode = readonly [name: string, node: NodeConfig];

export const pass = (detail: string): Finding => ({ status: "pass", detail });
export const skip = (detail: string): Finding => ({ status: "skip", detail });
export const fail = (detail: string, fix: string): Finding => ({ status: "fail", detail, fix });
export const warn = (detail: string, fix: string): Finding => ({ status: "warn", detail, fix });

/** Returns the nodes of a stack; none if its configuration is not valid. */
export function nodesOf({ configuration }: Context): NamedNode[] {
  return Object.entries(configuration.settings?.nodes ?? {});
}
