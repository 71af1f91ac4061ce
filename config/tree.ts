/** A map, as in YAML. */
export type Tree = Record<string, unknown>;

/** Whether a value is a map. */
export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a path exists. Its value may be null. It does without `Object.hasOwn`: consumers may compile for ES2020. */
export function has(tree: unknown, path: readonly PropertyKey[]): boolean {
  let at: unknown = tree;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return false;
    if (Object.getOwnPropertyDescriptor(at, key) === undefined) return false;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return true;
}
