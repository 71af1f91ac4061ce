import type { NodeConfig } from "../../config/schema";
import type { Probe } from "../../clients/network";
import type { Run } from "../../clients/process";
import type { Cluster } from "../../clients/proxmox";
import type { Configuration } from "../../clients/pulumi/configuration";
import type { Manifest } from "../project";

/** How a check ended. `skip`: it does not apply, or what it builds on is missing. */
export type Status = "pass" | "warn" | "fail" | "skip";

/** What a check found. */
export interface Finding {
  readonly status: Status;
  readonly detail: string;
  /** The command, or the edit, that mends it. */
  readonly fix?: string;
}

/** A finding with the check it comes from. */
export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
}

/** One question, answered from the context alone. */
export interface Check {
  readonly id: string;
  readonly title: string;
  run(context: Context): Finding | Promise<Finding>;
}

/** Everything checks look at. */
export interface Context {
  readonly stack: string;
  readonly nodeVersion: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly manifest: Omit<Manifest, "version">;
  readonly configuration: Configuration;
  /** VM ids that the stack's state has. */
  readonly managed: ReadonlySet<number>;
  readonly cluster?: Cluster;
  readonly run: Run;
  readonly probe: Probe;
  /** By which waivers hold. */
  readonly now: Date;
  /** Milliseconds a registry may take. */
  readonly patience: number;
}

/** A node of the stack with its name. */
export type NamedNode = readonly [name: string, node: NodeConfig];

export const pass = (detail: string): Finding => ({ status: "pass", detail });
export const skip = (detail: string): Finding => ({ status: "skip", detail });
export const fail = (detail: string, fix: string): Finding => ({ status: "fail", detail, fix });
export const warn = (detail: string, fix: string): Finding => ({ status: "warn", detail, fix });

/** Nodes of a stack whose configuration is sound; none otherwise. */
export function nodesOf({ configuration }: Context): NamedNode[] {
  return Object.entries(configuration.settings?.nodes ?? {});
}
