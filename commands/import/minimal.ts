/** Makes a node's configuration as small as possible: only what differs from the stack's defaults. */
import { isDeepStrictEqual } from "node:util";
import { isTree, type Tree } from "../../config/tree";

/**
 * The smallest tree that, merged over `base` (config/load.ts, `merge`), says what `wanted` says. In
 * `wanted`, null stands for absent, and undefined for whatever `base` says.
 */
export function withoutDefaults(base: unknown, wanted: Tree): Tree {
  const below = isTree(base) ? base : {};
  const entries = Object.entries(wanted).flatMap(([key, value]): [string, unknown][] => {
    const under = below[key];
    if (value === undefined || isDeepStrictEqual(value, under)) return [];
    if (value === null) return key in below ? [[key, null]] : [];
    if (!isTree(value)) return [[key, value]];
    const rest = withoutDefaults(under, value);
    return isTree(under) && Object.keys(rest).length === 0 ? [] : [[key, rest]];
  });
  return Object.fromEntries(entries);
}

/** `found` and nothing else: what `base` has beyond it becomes null. */
export function pinExactly(base: unknown, found: Tree): Tree {
  const below = isTree(base) ? base : {};
  const gone = Object.keys(below).filter((key) => !(key in found));
  const kept = Object.entries(found).map(([key, value]) => [
    key,
    isTree(value) && isTree(below[key]) ? pinExactly(below[key], value) : value,
  ]);
  return {
    ...Object.fromEntries(gone.map((key) => [key, null])),
    ...Object.fromEntries(kept),
  } as Tree;
}
