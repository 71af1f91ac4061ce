import type { RawSettings } from "./load";
import type { Problem } from "./problems";
import { SECRETS } from "./secrets";

/** Versions of the stack file's format that this program reads; the last one is what it writes. */
export const VERSIONS: readonly unknown[] = [1];

/** The keys of a stack file beside secrets, without `docker-node:`. */
export const SETTINGS = ["configVersion", "proxmox", "defaults", "nodes", "waivers"] as const;

/** A node's own token of the backup server, of a node that is declared or was. */
const OWN_TOKEN = "backupToken-<node>";

/**
 * A version this program does not read: no other message would be of use then.
 *
 * @param version as it stands in the stack file; without one, it is 1
 */
export function checkVersion(version: unknown = 1): Problem[] {
  if (VERSIONS.includes(version)) return [];
  const known = VERSIONS.join(", ");
  const allowed = `${known}: this program reads no other; use the release of docker-node that does, or write the file as docs/reference/configuration.md says and set ${known}`;
  return [{ path: ["configVersion"], value: version, allowed }];
}

/** Keys of the program's own namespace that it does not read. Their values may be secrets and are not shown. */
export function checkKeys(names: readonly string[]): Problem[] {
  const secrets = SECRETS.map(({ name }) => name);
  const known = new Set<string>([...SETTINGS, ...secrets]);
  const allowed = `${SETTINGS.join(", ")}; secrets: ${[...secrets, OWN_TOKEN].join(", ")}`;
  return names
    .filter((name) => !known.has(name) && !/^backupToken-./.test(name))
    .map((name) => ({
      path: [name],
      found: "not a key of this program",
      value: undefined,
      allowed,
    }));
}

/** What a stack declares, each key asked for. */
export function rawSettings(get: (key: string) => unknown): RawSettings {
  return Object.fromEntries(SETTINGS.map((key) => [key, get(key)])) as unknown as RawSettings;
}

/** Names in a namespace, out of the keys of a whole configuration such as `docker-node:nodes`. */
export function namesIn(namespace: string, keys: readonly string[]): string[] {
  const prefix = `${namespace}:`;
  return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}
