/** The Pulumi CLI, as recoveries use it on one stack. */
import { nameResource, PART } from "../../config/names";
import { COMMAND, CONTAINER, DOCKER_PROVIDER } from "../../config/resource-types";
import { makeRunner, show } from "../process";
import { readConfiguration, type Configuration } from "./configuration";
import { nameOf, providerOf, typeOf } from "./urn";

/** A resource in a stack's state, as `pulumi stack export` has it. */
export interface Deployed {
  readonly urn: string;
  readonly type: string;
  readonly provider?: string;
  readonly dependencies?: readonly string[];
  /** Left over from a replacement, until the next `up` deletes it. */
  readonly delete?: boolean;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** One stack, as recoveries use it. */
export interface Pulumi {
  configuration(): Promise<Configuration>;
  /** What the stack's outputs have of each node. Empty for a stack that was never brought up. */
  readPublished(): Promise<Readonly<Record<string, Published>>>;
  resources(): Promise<readonly Deployed[]>;
  /** `pulumi up --refresh` of these resources alone. */
  up(targets: readonly string[]): Promise<void>;
  /** The same command as text, for a person to type. */
  shown(targets: readonly string[]): string;
}

/** Outputs of a node that are used here. */
export interface Published {
  readonly hostKey?: string;
  /** SHA-256 of the Portainer agent's certificate. */
  readonly agentFingerprint?: string;
}

/** The outputs of the program that are used here. */
export interface NodeOutputs {
  readonly nodes?: Readonly<Record<string, Published>>;
}

/** Output of `pulumi stack export`. */
export interface Deployment {
  readonly deployment?: { readonly resources?: readonly Deployed[] };
}

const HINT = "https://www.pulumi.com/docs/iac/download-install/";

/** The installed Pulumi CLI, in the project's directory. */
export function openPulumi(stack: string, cwd: string): Pulumi {
  const run = makeRunner(cwd);
  const ask = async <T>(...args: string[]): Promise<T | undefined> => {
    const { code, stdout } = await run("pulumi", [...args, "--stack", stack]);
    return code === 0 ? (JSON.parse(stdout) as T) : undefined;
  };
  return {
    configuration: () => readConfiguration(run, stack, cwd),
    readPublished: async () => (await ask<NodeOutputs>("stack", "output", "--json"))?.nodes ?? {},
    resources: async () => resourcesOf(await ask<Deployment>("stack", "export")),
    up: (targets) =>
      show({ program: "pulumi", args: upArguments(stack, targets), cwd, env: LOOK, hint: HINT }),
    shown: (targets) => `pulumi ${upArguments(stack, targets).join(" ")}`,
  };
}

/** Steps run again where the program sees that a node is not as it was given, so it has to look (clients/drift.ts). */
const LOOK = { DOCKER_NODE_DRIFT: "" };

function upArguments(stack: string, targets: readonly string[]): string[] {
  const chosen = targets.flatMap((target) => ["--target", target]);
  return ["up", "--refresh", "--yes", "--skip-preview", "--stack", stack, ...chosen];
}

/** Resources of a state. */
export const resourcesOf = ({ deployment }: Deployment = {}): readonly Deployed[] =>
  deployment?.resources ?? [];

/** Returns the resources on a node's Docker that the program made with its provider. */
export function resourcesOnDocker(node: string, resources: readonly Deployed[]): Deployed[] {
  return resources.filter(({ provider = "" }) => {
    const urn = providerOf(provider);
    return typeOf(urn) === DOCKER_PROVIDER && nameOf(urn) === nameResource(node, PART.docker);
  });
}

/** URNs of the resources, and of the steps on the node that follow them: limits and seals of containers. */
export function withSteps(chosen: readonly Deployed[], resources: readonly Deployed[]): string[] {
  const urns = new Set(chosen.map(({ urn }) => urn));
  const steps = resources.filter(
    ({ type, dependencies = [] }) => type === COMMAND && dependencies.some((urn) => urns.has(urn)),
  );
  return [...urns, ...steps.map(({ urn }) => urn)];
}

/** URNs of a node's own steps, by the ends of their names. */
export function stepsOn(
  node: string,
  steps: readonly string[],
  resources: readonly Deployed[],
): string[] {
  const names = steps.map((step) => nameResource(node, step));
  const mine = resources.filter(({ type, urn }) => type === COMMAND && names.includes(nameOf(urn)));
  return mine.map(({ urn }) => urn);
}

/**
 * Returns a declared container with the images, networks and volumes that it needs, and the steps that follow it. Empty if it is
 * not declared.
 */
export function targetsOf(
  container: string,
  node: string,
  resources: readonly Deployed[],
): string[] {
  const mine = resourcesOnDocker(node, resources);
  const isIt = ({ type, outputs }: Deployed): boolean =>
    type === CONTAINER && outputs?.["name"] === container;
  const found = mine.find(isIt);
  if (!found) return [];
  const needs = mine.filter(({ urn }) => found.dependencies?.includes(urn));
  return [...needs.map(({ urn }) => urn), ...withSteps([found], resources)];
}
