/**
 * Property values as they travel in Pulumi's provider protocol: JSON in which secrets, assets,
 * archives and resource references are objects marked by a signature, and values not known yet are
 * marker strings.
 */
export type Value = null | boolean | number | string | Value[] | Props;
export interface Props {
  [name: string]: Value;
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";

/** The marker of an unknown string; the others say which type an unknown value is going to have. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const unknowns = new Set<Value>([
  UNKNOWN,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // boolean
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // list
  "030794c1-ac77-496b-92df-f27374a8bd58", // asset
  "e48ece36-62e2-4504-bad9-02848725956a", // archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
]);

/** What a kind of change is called in a detailed diff. */
export type Change = "add" | "delete" | "update";

export function isObject(value: Value | undefined): value is Props {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasSignature(value: Value | undefined, signature: string): value is Props {
  return isObject(value) && value[SIGNATURE] === signature;
}

export function isSecret(value: Value | undefined): value is Props & { value: Value } {
  return hasSignature(value, SECRET);
}

export function isAsset(value: Value | undefined): value is Props {
  return hasSignature(value, ASSET);
}

export function isArchive(value: Value | undefined): value is Props {
  return hasSignature(value, ARCHIVE);
}

export function toSecret(value: Value): Value {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

/** The value inside a secret, or the value itself. */
export function reveal(value: Value): Value {
  return isSecret(value) ? value.value : value;
}

/** Whether a value, or a part of it, is not known yet. */
export function hasUnknown(value: Value | undefined): boolean {
  if (Array.isArray(value)) return value.some(hasUnknown);
  if (isObject(value)) return Object.values(value).some(hasUnknown);
  return value !== undefined && unknowns.has(value);
}

/** A copy without the secret wrappers at any depth, for use inside the plugin. */
export function toPlain(value: Value): Value {
  const revealed = reveal(value);
  if (Array.isArray(revealed)) return revealed.map(toPlain);
  if (!isObject(revealed)) return revealed;
  return Object.fromEntries(Object.entries(revealed).map(([key, inner]) => [key, toPlain(inner)]));
}

/**
 * Equality as pulumi sees it: a secret differs from the same value in the open, assets are
 * equal by their hash.
 */
export function equal(a: Value | undefined, b: Value | undefined): boolean {
  if ((isAsset(a) && isAsset(b)) || (isArchive(a) && isArchive(b))) {
    if (a["hash"] && b["hash"]) return a["hash"] === b["hash"];
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].every((key) => equal(a[key] ?? null, b[key] ?? null));
  }
  return a === b;
}

function childPath(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path ? `${path}.${key}` : key;
}

function isTree(value: Value | undefined): value is Props {
  return isObject(value) && value[SIGNATURE] === undefined;
}

/**
 * The paths at which two values differ, in the notation of a detailed diff; a secret is one leaf.
 */
export function diff(
  before: Value | undefined,
  after: Value | undefined,
  path = "",
): Map<string, Change> {
  if (Array.isArray(before) && Array.isArray(after)) {
    const indexes = Array.from(
      { length: Math.max(before.length, after.length) },
      (_, index) => index,
    );
    return merge(indexes.map((index) => diff(before[index], after[index], childPath(path, index))));
  }
  if (isTree(before) && isTree(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return merge(keys.map((key) => diff(before[key], after[key], childPath(path, key))));
  }
  if (equal(before ?? null, after ?? null)) return new Map();
  return new Map([
    [path, (before ?? null) === null ? "add" : (after ?? null) === null ? "delete" : "update"],
  ]);
}

function merge(maps: Map<string, Change>[]): Map<string, Change> {
  return new Map(maps.flatMap((map) => [...map]));
}
