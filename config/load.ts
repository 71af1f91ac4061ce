import type { z } from "zod";
import { checkFleet, checkNode } from "./checks";
import { groupByCause, locate } from "./causes";
import { DEFAULT_DAEMON } from "./daemon";
import { merge } from "./merge";
import { withDockerMetrics } from "./monitoring";
import { withNames } from "./discovery";
import { addressOfNode } from "./node";
import { withOutsideRuntime } from "./outside";
import { problemsOf } from "./issues";
import { keepReadable } from "./partial";
import { placeWorkloads, type Placement, type RawUnits } from "./placement";
import { ConfigError, type Problem } from "./problems";
import { SETTINGS, checkKeys, checkVersion } from "./stack-keys";
import { nodeName, nodeSchema, proxmoxSchema, type NodeConfig, type ProxmoxConfig } from "./schema";
import { waiversSchema, type Waiver } from "./schema/waivers";
import { findHostile } from "./text";
import { isTree, type Tree } from "./tree";
import { checkWaivers } from "./waivers/check";

export { merge } from "./merge";

/** The parsed and checked configuration of a stack. */
export interface Settings {
  readonly proxmox: ProxmoxConfig;
  readonly nodes: Readonly<Record<string, NodeConfig>>;
  readonly waivers: readonly Waiver[];
  /** Where the workloads of the stack and of compose files run. */
  readonly placements: readonly Placement[];
}

/** The configuration of a stack as Pulumi passes it, not yet checked. */
export interface RawSettings {
  readonly configVersion?: unknown;
  readonly proxmox: unknown;
  readonly defaults?: unknown;
  readonly nodes: unknown;
  readonly waivers?: unknown;
  readonly workloads?: unknown;
  readonly compose?: unknown;
}

/** What docker compose made of the files of each project. */
type Composed = NonNullable<RawUnits["composed"]>;

/**
 * Parses and checks everything that a stack declares.
 *
 * @param names names of all keys in the program's namespace, secrets included
 * @param now the time that decides whether a waiver still holds, and whether a certificate has expired
 * @param composed what docker compose made of the files of `compose`, by project
 * @throws ConfigError that lists every problem, each with field, value and what is allowed
 */
export function loadSettings(
  raw: RawSettings,
  names = Object.keys(raw),
  now = new Date(),
  composed: Composed = {},
): Settings {
  refuse(checkVersion(raw.configVersion));
  refuse(findAllHostile(raw, composed));
  const problems = checkKeys(names);
  const proxmox = parse(proxmoxSchema, raw.proxmox, ["proxmox"], problems);
  const written = readNodeTrees(raw.nodes, problems);
  const placed = placeWorkloads({ ...raw, composed }, mergeAll(written, raw.defaults), problems);
  const read = Object.entries(placed.trees).map(([name, tree]) => readNode(name, tree, now));
  const nodes = Object.fromEntries(read.map(({ name, node }) => [name, node]));
  const waivers = parse(waiversSchema, raw.waivers ?? [], ["waivers"], problems);
  // Without valid waivers it is unknown which weak values are waived, so those are not checked.
  const weak = waivers && checkWaivers(waivers, proxmox, nodes, now);
  const found = [...read.flatMap(({ problems: own }) => own), ...checkFleet(nodes)];
  const [ofStack, ofNodes] = splitByOwner(weak?.open ?? []);
  const sources = { defaults: raw.defaults, nodes: written, origins: placed.origins };
  const located = [...found, ...ofNodes].map((problem) => locate(problem, sources));
  problems.push(...groupByCause(located), ...ofStack, ...(weak?.wrong ?? []));
  if (problems.length === 0) problems.push(...(weak?.unused ?? []));
  if (problems.length > 0 || !proxmox || !waivers) throw new ConfigError(problems);
  return { proxmox, nodes: completeNodes(nodes), waivers, placements: placed.placements };
}

/** What no field allows. Values of compose files are not shown. */
function findAllHostile(raw: RawSettings, composed: Composed): Problem[] {
  const ofFiles = Object.entries(composed).flatMap(([name, { model }]) =>
    findHostile(model, ["compose", name, "files"]),
  );
  return [
    ...SETTINGS.flatMap((section) => findHostile(raw[section], [section])),
    ...ofFiles.map((problem) => ({ ...problem, value: undefined, found: "is not taken over" })),
  ];
}

/** Splits problems into those of the stack and those of its nodes. */
function splitByOwner(problems: readonly Problem[]): [Problem[], Problem[]] {
  const isOfNode = ({ path }: Problem): boolean => path[0] === "nodes";
  return [problems.filter((problem) => !isOfNode(problem)), problems.filter(isOfNode)];
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A node that is drained of everything runs none of its workloads; they were checked all the same. */
const withoutStopped = (node: NodeConfig): NodeConfig =>
  node.drain === "all" ? { ...node, workloads: {} } : node;

/** Replaces a primary's name by its address, so that a node can be read without the others, and fills in what follows. */
function completeNodes(nodes: Readonly<Record<string, NodeConfig>>): Record<string, NodeConfig> {
  const withPrimary = (node: NodeConfig): NodeConfig => {
    const named = typeof node.primary === "string" ? nodes[node.primary] : undefined;
    return named ? { ...node, primary: { address: addressOfNode(named), port: 22 } } : node;
  };
  const all = Object.entries(nodes);
  const fillIn = (node: NodeConfig): NodeConfig =>
    withOutsideRuntime(withDockerMetrics(withoutStopped(withPrimary(node))));
  return withNames(Object.fromEntries(all.map(([name, node]) => [name, fillIn(node)])));
}

function readNodeTrees(nodes: unknown, problems: Problem[]): Tree {
  if (isTree(nodes) && Object.keys(nodes).length > 0) return nodes;
  problems.push({
    path: ["nodes"],
    value: nodes,
    allowed: "at least one node: a map from name to settings",
  });
  return {};
}

/** A node as far as it can be read, and its problems. */
interface Read {
  readonly name: string;
  readonly node: NodeConfig;
  readonly problems: readonly Problem[];
}

/** Settings of the nodes with those that they share. */
function mergeAll(written: Tree, defaults: unknown): Tree {
  const base = merge({ engine: { daemon: DEFAULT_DAEMON } }, defaults ?? {});
  const all = Object.entries(written).map(([name, own]) => [name, merge(base, own)] as const);
  return Object.fromEntries(all);
}

function readNode(name: string, merged: unknown, now: Date): Read {
  const problems: Problem[] = [];
  parse(nodeName, name, ["nodes", name], problems);
  const node = parse(nodeSchema, merged, ["nodes", name], problems) ?? keepReadable(merged);
  problems.push(...checkNode(name, node, now));
  return { name, node, problems };
}

function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
  path: readonly PropertyKey[],
  problems: Problem[],
): z.output<T> | undefined {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  problems.push(...problemsOf(result.error, path));
  return undefined;
}
