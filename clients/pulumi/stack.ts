/** The Pulumi engine: what a stack is configured with, has made, and makes again. */
import { spawn } from "node:child_process";
import type { Stack } from "@pulumi/pulumi/automation";
import { interpret, readConfiguration } from "./configuration";
import { runner } from "../system";
import type { Configuration } from "../../commands/doctor/types";

/** A resource in a stack's state, as `pulumi stack export` has it. */
export interface Deployed {
  readonly urn: string;
  readonly type: string;
  readonly provider?: string;
  readonly dependencies?: readonly string[];
  readonly outputs?: Readonly<Record<string, unknown>>;
}

export interface Engine {
  configuration(): Promise<Configuration>;
  /** Host keys by node, from the stack's outputs; of a stack that was never brought up, none. */
  hostKeys(): Promise<Readonly<Record<string, string>>>;
  resources(): Promise<readonly Deployed[]>;
  /** `pulumi up --refresh` of these resources alone. */
  up(targets: readonly string[]): Promise<void>;
  /** The same, for a person to type. */
  shown(targets: readonly string[]): string;
}

interface Nodes {
  readonly nodes?: Readonly<Record<string, { readonly hostKey?: string }>>;
}

interface Deployment {
  readonly deployment?: { readonly resources?: readonly Deployed[] };
}

/** The installed Pulumi CLI, in the project's directory. */
export function cliEngine(stack: string, cwd: string): Engine {
  const run = runner(cwd);
  const ask = async <T>(...args: string[]): Promise<T | undefined> => {
    const { code, stdout } = await run("pulumi", [...args, "--stack", stack]);
    return code === 0 ? (JSON.parse(stdout) as T) : undefined;
  };
  return {
    configuration: () => readConfiguration(run, stack, cwd),
    hostKeys: async () => keysOf(await ask<Nodes>("stack", "output", "--json")),
    resources: async () => resourcesOf(await ask<Deployment>("stack", "export")),
    up: (targets) => interactive("pulumi", upArguments(stack, targets), cwd),
    shown: (targets) => `pulumi ${upArguments(stack, targets).join(" ")}`,
  };
}

/** A stack driven by the Automation API, as the lab's is. */
export function stackEngine(stack: Stack, print: (text: string) => void): Engine {
  return {
    configuration: async () => interpret(await stack.getAllConfig()),
    hostKeys: async () => {
      const { nodes } = await stack.outputs();
      return keysOf({ nodes: nodes?.value as Nodes["nodes"] });
    },
    resources: async () => resourcesOf(await stack.exportStack()),
    up: async (targets) => {
      await stack.up({ target: [...targets], refresh: true, onOutput: print });
    },
    shown: () => "npm run lab -- up",
  };
}

function upArguments(stack: string, targets: readonly string[]): string[] {
  const chosen = targets.flatMap((target) => ["--target", target]);
  return ["up", "--refresh", "--yes", "--skip-preview", "--stack", stack, ...chosen];
}

const keysOf = ({ nodes = {} }: Nodes = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries(nodes).flatMap(([name, { hostKey }]) => (hostKey ? [[name, hostKey]] : [])),
  );

const resourcesOf = ({ deployment }: Deployment = {}): readonly Deployed[] =>
  deployment?.resources ?? [];

/** What the engine says goes straight to the reader. */
function interactive(program: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", () => {
      reject(new Error("the Pulumi CLI does not start; is it installed?"));
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`pulumi up ended with ${code ?? "a signal"}`));
    });
  });
}

/** What this node's Docker has by the program: everything its provider made. */
export function onDockerOf(node: string, resources: readonly Deployed[]): Deployed[] {
  const provider = `::pulumi:providers:docker::${node}-docker::`;
  return resources.filter((one) => one.provider?.includes(provider));
}

/** A declared container with the images, networks and volumes it needs; nothing of one that is not declared. */
export function targetsOf(
  container: string,
  node: string,
  resources: readonly Deployed[],
): string[] {
  const mine = onDockerOf(node, resources);
  const isIt = ({ type, outputs }: Deployed): boolean =>
    type === "docker:index/container:Container" && outputs?.["name"] === container;
  const found = mine.find(isIt);
  if (!found) return [];
  const needs = mine.filter(({ urn }) => found.dependencies?.includes(urn));
  return [...needs.map(({ urn }) => urn), found.urn];
}
