/** Pulumi's encoding of property values, and the differences between two of them. */
import { HIDDEN } from "../../config/secrets";
import { UNKNOWN, type PropertyChange, type Value } from "./model";

/** Key of a value that is not plain data: a secret, an asset, a resource (sdk/go/common/resource/sig). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** What stands for a value not known in a preview, by type (sdk/go/common/resource/plugin/rpc.go). */
const UNKNOWNS = new Set([
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/**
 * A value that is safe to show. Everything with a signature becomes `[secret]` without being read; the bridge's
 * bookkeeping (`__defaults`, `__meta`) is left out.
 */
function toReadable(value: unknown): Value {
  if (typeof value === "string") return UNKNOWNS.has(value) ? UNKNOWN : value;
  if (typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value !== "object" || value === null) return null;
  if (Array.isArray(value)) return value.map(toReadable);
  if (SIGNATURE in value) return HIDDEN;
  const entries = Object.entries(value).filter(([key]) => !key.startsWith("__"));
  return Object.fromEntries(entries.map(([key, item]) => [key, toReadable(item)]));
}

/** A record of properties; anything else is an empty one. */
export function readableProperties(value: unknown): Record<string, Value> {
  const found = toReadable(value);
  return isRecord(found) ? found : {};
}

/** The value at a path such as `disks[1].size` or `labels["a.b"]`. */
export function valueAt(value: Value | undefined, path: string): Value | undefined {
  return segmentsOf(path).reduce<Value | undefined>((at, key) => {
    if (Array.isArray(at)) return at[Number(key)];
    return isRecord(at) ? at[key] : undefined;
  }, value);
}

function segmentsOf(path: string): string[] {
  const found = path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g);
  return [...found].map(([, quoted, index, plain]) => quoted ?? index ?? plain ?? "");
}

/** Whether it contains a secret. */
export function holdsSecret(value: Value | undefined): boolean {
  if (typeof value === "string") return value.includes(HIDDEN);
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(holdsSecret);
}

/** Differences down to the leaves. Two secrets look the same, and so do two unknowns. */
export function findDifferences(
  path: string,
  before: Value | undefined,
  after: Value | undefined,
): PropertyChange[] {
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    const compareItem = (index: number): PropertyChange[] =>
      findDifferences(`${path}[${index}]`, before[index], after[index]);
    return Array.from({ length }, (_, index) => compareItem(index)).flat();
  }
  if (isRecord(before) && isRecord(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => findDifferences(join(path, key), before[key], after[key]));
  }
  if (JSON.stringify(before ?? null) === JSON.stringify(after ?? null)) return [];
  return [{ path, before, after, secret: false }];
}

function join(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function isRecord(value: Value | undefined): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
