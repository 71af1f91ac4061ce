import type { RawSettings } from "./load";
import type { Problem } from "./problems";
import { SECRETS, patternOf } from "./secrets";

/** Versions of the stack file's format that this program reads; the last one is what it writes. */
export const VERSIONS: readonly unknown[] = [1];

/** The keys of a stack file that are not secrets, without `docker-node:`. */
export const SETTINGS = [
  ...(["configVersion", "proxmox", "defaults", "nodes", "workloads", "compose"] as const),
  "waivers",
] as const;

/** A pattern for every key of the program. */
export const KEYS = `(${[...SETTINGS, ...SECRETS.map(patternOf), "backupToken-.+"].join("|")})`;

/** A node's own token for the backup server. The node may be declared or already removed. */
const OWN_TOKEN = "backupToken-<node>";

/**
 * Reports a version that this program does not read. It is checked first, because other messages would mislead then.
 *
 * @param version as written in the stack file; default 1
 */
export function checkVersion(version: unknown = 1): Problem[] {
  if (VERSIONS.includes(version)) return [];
  const known = VERSIONS.join(", ");
  const allowed = `${known}: this program reads no other; use the release of docker-node that does, or write the file as docs/reference/configuration.md says and set ${known}`;
  return [{ path: ["configVersion"], value: version, allowed }];
}

/** Reports unknown keys in the program's namespace. Their values may be secrets, so messages do not show them. */
export function checkKeys(names: readonly string[]): Problem[] {
  const secrets = SECRETS.map(({ name }) => name);
  const known = new RegExp(`^${KEYS}$`);
  const allowed = `${SETTINGS.join(", ")}; secrets: ${[...secrets, OWN_TOKEN].join(", ")}`;
  return names
    .filter((name) => !known.test(name))
    .map((name) => ({
      path: [name],
      found: "not a key of this program",
      value: undefined,
      allowed,
    }));
}

/** Reads every key of a stack. */
export function rawSettings(get: (key: string) => unknown): RawSettings {
  return Object.fromEntries(SETTINGS.map((key) => [key, get(key)])) as unknown as RawSettings;
}

/** Returns the names in a namespace, from full keys such as `docker-node:nodes`. */
export function namesIn(namespace: string, keys: readonly string[]): string[] {
  const prefix = `${namespace}:`;
  return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}
