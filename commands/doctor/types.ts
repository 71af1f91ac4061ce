import type { Settings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import type { Cluster } from "../../clients/proxmox";

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

/** What a program run to its end said. */
export interface Ran {
  /** Undefined when the program is not there. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type Run = (command: string, args: readonly string[]) => Promise<Ran>;

/** What answers at an address: nothing at all is `silent`. */
export type Probe = (host: string, port: number) => Promise<"open" | "refused" | "silent">;

/** What package.json says of versions. */
export interface Manifest {
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The stack's configuration, or why it could not be read. */
export interface Configuration {
  readonly settings?: Settings;
  /** Everything wrong with it, a line each. */
  readonly problems: readonly string[];
  readonly apiToken?: string;
  readonly agentSecret?: string;
  /** Names of everything that is set. */
  readonly keys?: readonly string[];
  /** Why the secrets are not known. */
  readonly sealed?: string;
  /** Texts that must never be shown. */
  readonly secrets: readonly string[];
}

/** Everything checks look at. */
export interface Context {
  readonly stack: string;
  readonly nodeVersion: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly manifest: Manifest;
  readonly configuration: Configuration;
  /** VM ids that the stack's state has. */
  readonly managed: ReadonlySet<number>;
  readonly cluster?: Cluster;
  readonly run: Run;
  readonly probe: Probe;
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
