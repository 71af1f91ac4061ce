/** Says what a change of a node script's standard input means, for its variables and the daemon.json among them. */
import { HIDING_KEYS, IMAGE_STORE, reloadableKeys } from "../../config/daemon";
import { splitStdin, variablesOf } from "../../node/stdin";
import { lineDiff } from "./line-diff";
import type { Properties, Value } from "./model";

/** Differing variables line by line, and then whether the script's text differs. */
export function stdinDiff(before: Value | undefined, after: Value | undefined): string[] {
  const [old, now] = [splitStdin(before), splitStdin(after)];
  if (!old || !now) return ["standard input changed"];
  const lines = old.variables === now.variables ? [] : lineDiff(old.variables, now.variables);
  if (old.script !== now.script) lines.push("script text changed");
  if (old.repairs !== now.repairs) lines.push("runs again: the node was changed by hand");
  return lines;
}

/** What a change of daemon.json does to the daemon. */
export interface DaemonChange {
  /** Keys of daemon.json that differ, sorted. */
  readonly keys: readonly string[];
  /** The differing keys that move Docker to another layout, in which existing data is hidden. */
  readonly hiding: readonly string[];
  readonly effect: "none" | "reload" | "restart";
  /** Whether the configuration confirms it (`engine.confirm`). */
  readonly confirmed: boolean;
}

/** Compares the daemon.json in two standard inputs of `node/daemon.sh`. */
export function daemonChange(old: Properties, now: Properties): DaemonChange {
  const [before, after] = [variablesOf(old.stdin), variablesOf(now.stdin)];
  const [a, b] = [daemonJson(before.DAEMON_JSON), daemonJson(after.DAEMON_JSON)];
  const differs = (key: string): boolean => JSON.stringify(a[key]) !== JSON.stringify(b[key]);
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(differs).sort();
  const reloadable = reloadableKeys(b);
  // A removed key keeps its value until dockerd restarts, because a reload only takes over the keys in the file.
  const isReloaded = (key: string): boolean => key in b && reloadable.includes(key);
  const effect = keys.every(isReloaded) ? "reload" : "restart";
  return {
    keys,
    hiding: keys.filter((key) => HIDING_KEYS.includes(key)),
    effect: keys.length === 0 ? "none" : effect,
    confirmed: after.DATA_LOSS_CONFIRMED === "hide-existing",
  };
}

/** Parses daemon.json as node/daemon/config.sh does, with the image store as a key of its own. */
function daemonJson(text = "{}"): Record<string, unknown> {
  const value = parseObject(text);
  const features = value.features as Record<string, unknown> | undefined;
  const store = features?.["containerd-snapshotter"];
  return store === undefined ? value : { ...value, [IMAGE_STORE]: store };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Partly unknown or secret: every key of the other side then counts as changed.
    return {};
  }
}
