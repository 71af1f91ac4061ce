import type { NodeConfig } from "./schema";
import { isTree, type Tree } from "./tree";

/* Containers of the program that are exempt from userns-remap: they run as the node's real root. */

/**
 * Name of their runtime in daemon.json: runc, after it has compared their image with its digests (node/runtime/start.sh). Docker has no
 * other hook before a start that also works at a boot.
 */
export const OUTSIDE_RUNTIME = "docker-node";

/** Program of the runtime on the node; node/daemon/runtime.sh writes it. */
const PROGRAM = "/usr/local/lib/docker-node/runtime";

/** Whether Docker remaps the root of containers. */
export const isRemapped = ({ engine }: Pick<NodeConfig, "engine">): boolean =>
  engine.daemon["userns-remap"] !== undefined;

/** Whether the program makes such a container. An adopted agent stays as it is. */
const makesOutside = ({ portainer, adopt, backups, monitoring }: NodeConfig): boolean =>
  [backups, monitoring?.cadvisor, portainer?.agent.next, adopt.agent ? undefined : portainer].some(
    (one) => one !== undefined,
  );

/** The node with the runtime in its daemon.json, if it has containers for it. Without userns-remap there is nothing to be exempt from. */
export function withOutsideRuntime(node: NodeConfig): NodeConfig {
  if (!isRemapped(node) || !makesOutside(node)) return node;
  const { engine } = node;
  const runtimes = { ...engine.daemon.runtimes, [OUTSIDE_RUNTIME]: { path: PROGRAM } };
  return { ...node, engine: { ...engine, daemon: { ...engine.daemon, runtimes } } };
}

/** Whether the node's daemon.json has the runtime. */
export const hasOutsideRuntime = ({ engine }: Pick<NodeConfig, "engine">): boolean =>
  OUTSIDE_RUNTIME in (engine.daemon.runtimes ?? {});

/** How Docker runs a container that is exempt from userns-remap. */
export const runOutside = (node: NodeConfig): { usernsMode: string; runtime?: string } => ({
  usernsMode: "host",
  ...(hasOutsideRuntime(node) && { runtime: OUTSIDE_RUNTIME }),
});

/** A daemon.json without the runtime, as somebody would write it. */
export function withoutOutsideRuntime(daemon: Tree): Tree {
  const { runtimes, ...others } = daemon;
  if (!isTree(runtimes) || !(OUTSIDE_RUNTIME in runtimes)) return daemon;
  const kept = Object.entries(runtimes).filter(([name]) => name !== OUTSIDE_RUNTIME);
  return kept.length > 0 ? { ...others, runtimes: Object.fromEntries(kept) } : others;
}
