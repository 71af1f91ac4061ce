import { z } from "zod";
import { nodeSchema, type NodeConfig } from "./schema";
import { has, isTree, type Tree } from "./tree";

/*
 * Reads a node that has mistakes, so that a mistake in one field does not hide those in others. Wrong fields are removed
 * and the rest is parsed again. Reading a removed field throws.
 */

type Path = readonly PropertyKey[];

/** Thrown when a check reads a field whose value is wrong. */
class Unreadable extends Error {}

/** The schema of a node with every key optional, so that a missing key hides no other mistake. */
const LOOSE = loosen(nodeSchema);

/** Returns a node with its correct fields. Reading a wrong field throws `Unreadable`. */
export function keepReadable(tree: unknown): NodeConfig {
  const { value, lost } = salvage(isTree(tree) ? tree : {});
  for (const path of lost) close(value, path);
  return value as NodeConfig;
}

/** Runs a check on a node that may be readable only in part. */
export function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
  }
}

/** Removes everything wrong and parses the rest. Paths without a value then are `lost`. */
function salvage(whole: Tree): { value: Tree; lost: Path[] } {
  const lost = placesOf(nodeSchema.safeParse(whole)).map((path) => pathUntilList(whole, path));
  for (let tree: unknown = whole; ;) {
    const result = LOOSE.safeParse(tree);
    if (result.success) return { value: result.data as Tree, lost };
    const round: Path[] = [];
    for (const path of placesOf(result)) {
      if (round.some((other) => isWithin(path, other))) continue;
      const place = findRemovable(tree, path);
      tree = removeAt(tree, place);
      round.push(place);
    }
    lost.push(...round);
  }
}

/** The same schema with every key of an object optional, so that a missing key hides no other mistake. */
function loosen(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return loosen(schema.unwrap() as z.ZodType).optional();
  if (schema instanceof z.ZodDefault)
    return loosen(schema.unwrap() as z.ZodType).default(schema.def.defaultValue);
  if (!(schema instanceof z.ZodObject)) return schema;
  const shape = schema.shape as z.ZodRawShape as Readonly<Record<string, z.ZodType>>;
  return z.strictObject(
    Object.fromEntries(
      Object.entries(shape).map(([key, inner]) => [key, loosen(inner).optional()]),
    ),
  );
}

function placesOf({ error }: z.ZodSafeParseResult<unknown>): Path[] {
  return (error?.issues ?? []).flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => [...issue.path, key])
      : [issue.path],
  );
}

const isWithin = (path: Path, other: Path): boolean => other.every((key, at) => path[at] === key);

/** What must be removed to solve a problem: the value itself, or the object that lacks a key. */
function findRemovable(tree: unknown, path: Path): Path {
  let place = pathUntilList(tree, path);
  while (!has(tree, place)) place = place.slice(0, -1);
  return place;
}

/** The path, but not into a list, because removing one entry would move the others up. */
function pathUntilList(tree: unknown, path: Path): Path {
  let at = tree;
  for (const [depth, key] of path.entries()) {
    if (Array.isArray(at)) return path.slice(0, depth);
    at = isTree(at) && Object.hasOwn(at, key) ? at[String(key)] : undefined;
  }
  return path;
}

function removeAt(tree: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined || !isTree(tree)) return undefined;
  const entries = Object.entries(tree);
  if (rest.length === 0) return Object.fromEntries(entries.filter(([name]) => name !== key));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, name === key ? removeAt(value, rest) : value]),
  );
}

/** Adds a field that throws when it is read. It is not enumerable, so loops over the fields skip it. */
function close(tree: Tree, path: Path): void {
  let at: Tree = tree;
  for (const key of path.slice(0, -1)) {
    const inner = Object.getOwnPropertyDescriptor(at, key)?.value as unknown;
    if (!isTree(inner)) return;
    at = inner;
  }
  Object.defineProperty(at, path.at(-1) ?? "", {
    get: () => {
      throw new Unreadable();
    },
    enumerable: false,
    configurable: true,
  });
}
