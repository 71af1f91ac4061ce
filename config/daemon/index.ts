import { z } from "zod";
import { shapeOf } from "./key";
import { DAEMON_KEYS } from "./keys";
import { REFUSED_KEYS } from "./refused";

export { DEFAULT_DAEMON, withoutDependents } from "./defaults";
export { DAEMON_KEYS } from "./keys";
export { REFUSED_KEYS } from "./refused";

const known = z.strictObject(shapeOf(DAEMON_KEYS));

/** Keys that are refused with a reason. The strict object refuses all other unknown keys. */
const refused = Object.fromEntries(
  Object.entries(REFUSED_KEYS).map(([key, reason]) => [
    key,
    z
      .unknown()
      .refine(() => false, { error: `not a key of this section: ${reason}` })
      .optional(),
  ]),
);

/** `engine.daemon`. It is strict, because dockerd does not start with an unknown key. */
export const daemonSchema = known.extend(refused) as unknown as typeof known;

/** The accepted keys only, for the documentation. */
export const documentedDaemonSchema = known;

/** A daemon.json, keys as dockerd spells them. */
export type DaemonConfig = z.infer<typeof known>;

const keys = Object.entries(DAEMON_KEYS) as [string, (typeof DAEMON_KEYS)["debug"]][];

/** The key inside `features` that chooses the image store. It counts as a key of its own (node/daemon/config.sh, `flat`). */
export const IMAGE_STORE = "features.containerd-snapshotter";

/**
 * Whether images may be in containerd's store: Docker 29's default for a new node, unless something asks for a graph driver
 * (moby daemon/daemon.go, chooses the snapshotter without driver and remapping).
 */
export function mayUseContainerd(daemon: DaemonConfig): boolean {
  const driver = daemon["storage-driver"] ?? "overlayfs";
  return driver === "overlayfs" && !daemon["userns-remap"];
}

/**
 * Keys that a running dockerd takes over from this file. With `userland-proxy: true` there are none: at a reload dockerd
 * checks the file alone, and refuses it because the path of the proxy is missing (moby daemon/config/config.go, Reload).
 */
export function reloadableKeys(daemon: DaemonConfig): string[] {
  if (daemon["userland-proxy"] === true) return [];
  return keys.filter(([, key]) => key.effect === "reload").map(([name]) => name);
}

/** Keys that hide existing data when they change. */
export const HIDING_KEYS: readonly string[] = [
  ...keys.filter(([, key]) => "hides" in key).map(([name]) => name),
  IMAGE_STORE,
];

/** Keys that describe docker0. */
export const DOCKER0_KEYS: readonly string[] = keys
  .filter(([, key]) => "docker0" in key)
  .map(([name]) => name);

/** Text of daemon.json. Keys are sorted, so their order in the configuration never makes a difference. */
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
