import type { z } from "zod";
import { checkFleet, checkNode } from "./checks";
import { groupByCause, locate } from "./causes";
import { DEFAULT_DAEMON, withoutDependents } from "./daemon";
import { withDockerMetrics } from "./monitoring";
import { addressOfNode } from "./node";
import { problemsOf } from "./issues";
import { keepReadable } from "./partial";
import { ConfigError, type Problem } from "./problems";
import { SETTINGS, checkKeys, checkVersion } from "./stack-keys";
import { nodeName, nodeSchema, proxmoxSchema, type NodeConfig, type ProxmoxConfig } from "./schema";
import { waiversSchema, type Waiver } from "./schema/waivers";
import { findHostile } from "./text";
import { isTree, type Tree } from "./tree";
import { checkWaivers } from "./waivers/check";

/** The parsed and checked configuration of a stack. */
export interface Settings {
  readonly proxmox: ProxmoxConfig;
  readonly nodes: Readonly<Record<string, NodeConfig>>;
  readonly waivers: readonly Waiver[];
}

/** The configuration of a stack as Pulumi passes it, not yet checked. */
export interface RawSettings {
  readonly configVersion?: unknown;
  readonly proxmox: unknown;
  readonly defaults?: unknown;
  readonly nodes: unknown;
  readonly waivers?: unknown;
}

/** Which keys of a section stay when another section is merged over it. Only sections that do not keep all keys. */
const KEPT: Readonly<Record<string, (base: Tree, over: Tree) => Tree>> = {
  // Replaced as a whole, because its keys exclude one another.
  "machine.image": () => ({}),
  "engine.daemon": withoutDependents,
};

/**
 * Parses and checks everything that a stack declares.
 *
 * @param names names of all keys in the program's namespace, secrets included
 * @param now the time that decides whether a waiver still holds, and whether a certificate has expired
 * @throws ConfigError that lists every problem, each with field, value and what is allowed
 */
export function loadSettings(
  raw: RawSettings,
  names = Object.keys(raw),
  now = new Date(),
): Settings {
  refuse(checkVersion(raw.configVersion));
  const hostile = SETTINGS.flatMap((section) => findHostile(raw[section], [section]));
  refuse(hostile);
  const problems = checkKeys(names);
  const proxmox = parse(proxmoxSchema, raw.proxmox, ["proxmox"], problems);
  const trees = readNodeTrees(raw.nodes, problems);
  const read = Object.entries(trees).map(([name, own]) => readNode(name, raw.defaults, own, now));
  const nodes = Object.fromEntries(read.map(({ name, node }) => [name, node]));
  const waivers = parse(waiversSchema, raw.waivers ?? [], ["waivers"], problems);
  // Without valid waivers it is unknown which weak values are waived, so those are not checked.
  const weak = waivers && checkWaivers(waivers, proxmox, nodes, now);
  const found = [...read.flatMap(({ problems: own }) => own), ...checkFleet(nodes)];
  const [ofStack, ofNodes] = splitByOwner(weak?.open ?? []);
  const placed = [...found, ...ofNodes].map((problem) => locate(problem, raw.defaults, trees));
  problems.push(...groupByCause(placed), ...ofStack, ...(weak?.wrong ?? []));
  if (problems.length === 0) problems.push(...(weak?.unused ?? []));
  if (problems.length > 0 || !proxmox || !waivers) throw new ConfigError(problems);
  return { proxmox, nodes: completeNodes(nodes), waivers };
}

/** Splits problems into those of the stack and those of its nodes. */
function splitByOwner(problems: readonly Problem[]): [Problem[], Problem[]] {
  const isOfNode = ({ path }: Problem): boolean => path[0] === "nodes";
  return [problems.filter((problem) => !isOfNode(problem)), problems.filter(isOfNode)];
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Replaces a primary's name by its address, so that a node can be read without the others, and fills in what follows. */
function completeNodes(nodes: Readonly<Record<string, NodeConfig>>): Record<string, NodeConfig> {
  const withPrimary = (node: NodeConfig): NodeConfig => {
    const named = typeof node.primary === "string" ? nodes[node.primary] : undefined;
    return named ? { ...node, primary: { address: addressOfNode(named), port: 22 } } : node;
  };
  const all = Object.entries(nodes);
  return Object.fromEntries(
    all.map(([name, node]) => [name, withDockerMetrics(withPrimary(node))]),
  );
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

function readNode(name: string, defaults: unknown, own: unknown, now: Date): Read {
  const problems: Problem[] = [];
  parse(nodeName, name, ["nodes", name], problems);
  const merged = merge(merge({ engine: { daemon: DEFAULT_DAEMON } }, defaults ?? {}), own);
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

/** Merges `over` into `base`: maps are merged, null removes a key, any other value replaces. */
export function merge(base: unknown, over: unknown, section = ""): unknown {
  if (!isTree(over)) return over;
  const result = new Map(isTree(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(over)) {
    if (value === null) result.delete(key);
    else result.set(key, merge(keep(`${section}.${key}`, result.get(key), value), value, key));
  }
  // fromEntries makes own properties, even of a key named `__proto__`.
  return Object.fromEntries(result);
}

/** The part of `base` that stays under `over`. */
function keep(path: string, base: unknown, over: unknown): unknown {
  const rule = KEPT[path];
  return rule && isTree(base) && isTree(over) ? rule(base, over) : base;
}
