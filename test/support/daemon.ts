/** A node whose engine.daemon is laid over the default one, and what is wrong with it. */
import { renderDaemonJson } from "../../config/daemon";
import { loadSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";
import { prodWith, waived } from "./settings";

type Tree = Record<string, unknown>;

/** Production's node without networks and monitoring, called `n`; `more` replaces sections of it. What is weak is waived. */
export function nodeWith(daemon: unknown, version = "29.10.0", more: Tree = {}): NodeConfig {
  const { proxmox, defaults } = prodWith({});
  const { engine, ...rest } = defaults as Tree;
  const own = { ...rest, networks: {}, monitoring: null, ...more };
  const node = { ...own, engine: { ...(engine as Tree), version, daemon } };
  const parsed = loadSettings(waived({ proxmox, nodes: { n: node } })).nodes.n;
  if (!parsed) throw new Error("there is no node n");
  return parsed;
}

/** Its daemon.json, read again. */
export const rendered = (daemon: unknown, version?: string): Tree =>
  JSON.parse(renderDaemonJson(nodeWith(daemon, version).engine.daemon)) as Tree;

/** The problems, with paths below engine.daemon. */
export function daemonProblems(daemon: unknown, version?: string, more?: Tree): string[] {
  try {
    nodeWith(daemon, version, more);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.message.split("\n  ").slice(1);
    return lines.map((line) => line.replace("nodes.n.engine.daemon.", ""));
  }
  return [];
}
