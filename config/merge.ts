import { withoutDependents } from "./daemon";
import { isTree, type Tree } from "./tree";

/** Which keys of a section stay when another section is merged over it. Only sections that do not keep all keys. */
const KEPT: Readonly<Record<string, (base: Tree, over: Tree) => Tree>> = {
  // Replaced as a whole, because its keys exclude one another.
  "machine.image": () => ({}),
  "engine.daemon": withoutDependents,
};

/** Merges `over` into `base`: maps are merged, null removes a key, any other value replaces. */
export function merge(base: unknown, over: unknown, section = ""): unknown {
  if (!isTree(over)) return over;
  const result = new Map(isTree(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(over)) {
    if (value === null) result.delete(key);
    else result.set(key, merge(keep(`${section}.${key}`, result.get(key), value), value, key));
  }
  // fromEntries makes own properties, even of a key named `__proto__`.
  return Object.fromEntries(result);
}

/** The part of `base` that stays under `over`. */
function keep(path: string, base: unknown, over: unknown): unknown {
  const rule = KEPT[path];
  return rule && isTree(base) && isTree(over) ? rule(base, over) : base;
}
