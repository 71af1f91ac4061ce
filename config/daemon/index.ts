import { z } from "zod";
import { shapeOf } from "./key";
import { DAEMON_KEYS } from "./keys";
import { REFUSED_KEYS } from "./refused";

export { DEFAULT_DAEMON, withoutDependents } from "./defaults";
export { DAEMON_KEYS } from "./keys";
export { REFUSED_KEYS } from "./refused";

const known = z.strictObject(shapeOf(DAEMON_KEYS));

/** Refused with the reason; strictObject refuses whatever is left. */
const refused = Object.fromEntries(
  Object.entries(REFUSED_KEYS).map(([key, reason]) => [
    key,
    z
      .unknown()
      .refine(() => false, { error: `not a key of this section: ${reason}` })
      .optional(),
  ]),
);

/** `engine.daemon`: strict, since dockerd does not start on a key it does not know. */
export const daemonSchema = known.extend(refused) as unknown as typeof known;

/** The keys there are, for the documentation. */
export const documentedDaemonSchema = known;

/** A daemon.json, keys as dockerd spells them. */
export type DaemonConfig = z.infer<typeof known>;

const keys = Object.entries(DAEMON_KEYS) as [string, (typeof DAEMON_KEYS)["debug"]][];

/** The image store, a key of its own inside `features` (node/daemon/config.sh, `flat`). */
export const IMAGE_STORE = "features.containerd-snapshotter";

/**
 * Keys whose values a running dockerd takes over from this file. With `userland-proxy: true` in it none:
 * dockerd checks the file alone at a reload, and misses the path of the proxy that it finds at a start
 * (moby daemon/config/config.go, Reload).
 */
export function reloadableKeys(daemon: DaemonConfig): string[] {
  if (daemon["userland-proxy"] === true) return [];
  return keys.filter(([, key]) => key.effect === "reload").map(([name]) => name);
}

/** Keys a change of which hides existing data. */
export const HIDING_KEYS: readonly string[] = [
  ...keys.filter(([, key]) => "hides" in key).map(([name]) => name),
  IMAGE_STORE,
];

/** Keys that describe docker0. */
export const DOCKER0_KEYS: readonly string[] = keys
  .filter(([, key]) => "docker0" in key)
  .map(([name]) => name);

/** Text of daemon.json: sorted keys, so that the order of the configuration never makes a diff. */
export function renderDaemonJson(daemon: DaemonConfig): string {
  return `${JSON.stringify(sortKeys(daemon), null, 2)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item)]));
}
