import type { z } from "zod";
import { checkFleet, checkNode } from "./checks";
import { byCause, locate } from "./causes";
import { DEFAULT_DAEMON, withoutDependents } from "./daemon";
import { addressOfNode } from "./node";
import { problemsOf } from "./issues";
import { readable } from "./partial";
import { ConfigError, type Problem } from "./problems";
import { SETTINGS, checkKeys, checkVersion } from "./stack-keys";
import { nodeName, nodeSchema, proxmoxSchema, type NodeConfig, type ProxmoxConfig } from "./schema";
import { waiversSchema, type Waiver } from "./schema/waivers";
import { unfit } from "./text";
import { isTree, type Tree } from "./tree";
import { checkWaivers } from "./waivers/check";

/** What a stack declares, parsed. */
export interface Settings {
  readonly proxmox: ProxmoxConfig;
  readonly nodes: Readonly<Record<string, NodeConfig>>;
  readonly waivers: readonly Waiver[];
}

/** What a stack declares, as Pulumi hands it over. */
export interface RawSettings {
  readonly configVersion?: unknown;
  readonly proxmox: unknown;
  readonly defaults?: unknown;
  readonly nodes: unknown;
  readonly waivers?: unknown;
}

/** Says which keys of a section stay when another section is laid over it, where not all of them do. */
const LEFT: Readonly<Record<string, (base: Tree, over: Tree) => Tree>> = {
  // Replaced as a whole, because its keys exclude one another.
  "machine.image": () => ({}),
  "engine.daemon": withoutDependents,
};

/**
 * Parse and check everything a stack declares.
 *
 * @param names of everything set in the program's namespace, secrets too
 * @param now by which waivers hold
 * @throws ConfigError listing every problem at once, each with field, value and what is allowed.
 */
export function loadSettings(
  raw: RawSettings,
  names = Object.keys(raw),
  now = new Date(),
): Settings {
  refuse(checkVersion(raw.configVersion));
  const hostile = SETTINGS.flatMap((section) => unfit(raw[section], [section]));
  refuse(hostile);
  const problems = checkKeys(names);
  const proxmox = parse(proxmoxSchema, raw.proxmox, ["proxmox"], problems);
  const trees = nodeTrees(raw.nodes, problems);
  const read = Object.entries(trees).map(([name, own]) => readNode(name, raw.defaults, own));
  const nodes = Object.fromEntries(read.map(({ name, node }) => [name, node]));
  const waivers = parse(waiversSchema, raw.waivers ?? [], ["waivers"], problems);
  // Without knowing what is waived, nothing can be said of what is not.
  const weak = waivers && checkWaivers(waivers, proxmox, nodes, now);
  const found = [...read.flatMap(({ problems: own }) => own), ...checkFleet(nodes)];
  const [ofStack, ofNodes] = apart(weak?.open ?? []);
  const placed = [...found, ...ofNodes].map((problem) => locate(problem, raw.defaults, trees));
  problems.push(...byCause(placed), ...ofStack, ...(weak?.wrong ?? []));
  if (problems.length === 0) problems.push(...(weak?.unused ?? []));
  if (problems.length > 0 || !proxmox || !waivers) throw new ConfigError(problems);
  return { proxmox, nodes: withPrimaries(nodes), waivers };
}

/** Problems of the stack, and of its nodes. */
function apart(problems: readonly Problem[]): [Problem[], Problem[]] {
  const ofNode = ({ path }: Problem): boolean => path[0] === "nodes";
  return [problems.filter((problem) => !ofNode(problem)), problems.filter(ofNode)];
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A primary that is named becomes its address: whoever reads a node needs no other. */
function withPrimaries(nodes: Readonly<Record<string, NodeConfig>>): Record<string, NodeConfig> {
  const resolved = ([name, node]: [string, NodeConfig]): [string, NodeConfig] => {
    const named = typeof node.primary === "string" ? nodes[node.primary] : undefined;
    return [name, named ? { ...node, primary: { address: addressOfNode(named), port: 22 } } : node];
  };
  return Object.fromEntries(Object.entries(nodes).map(resolved));
}

function nodeTrees(nodes: unknown, problems: Problem[]): Tree {
  if (isTree(nodes) && Object.keys(nodes).length > 0) return nodes;
  problems.push({
    path: ["nodes"],
    value: nodes,
    allowed: "at least one node: a map from name to settings",
  });
  return {};
}

/** A node as far as it can be read, and what is wrong with it. */
interface Read {
  readonly name: string;
  readonly node: NodeConfig;
  readonly problems: readonly Problem[];
}

function readNode(name: string, defaults: unknown, own: unknown): Read {
  const problems: Problem[] = [];
  parse(nodeName, name, ["nodes", name], problems);
  const merged = merge(merge({ engine: { daemon: DEFAULT_DAEMON } }, defaults ?? {}), own);
  const node = parse(nodeSchema, merged, ["nodes", name], problems) ?? readable(merged);
  problems.push(...checkNode(name, node));
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

/** `over` on top of `base`: maps merge, everything else replaces, null removes. */
export function merge(base: unknown, over: unknown, section = ""): unknown {
  if (!isTree(over)) return over;
  const result = new Map(isTree(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(over)) {
    if (value === null) result.delete(key);
    else result.set(key, merge(left(`${section}.${key}`, result.get(key), value), value, key));
  }
  // Makes own properties whatever their names are, `__proto__` included.
  return Object.fromEntries(result);
}

function left(path: string, base: unknown, over: unknown): unknown {
  const rule = LEFT[path];
  return rule && isTree(base) && isTree(over) ? rule(base, over) : base;
}
