import { z } from "zod";
import { nodeSchema, type NodeConfig } from "./schema";
import { has, isTree, type Tree } from "./tree";

/*
 * What can be read of a node with mistakes in it, so that a mistake in one field does not hide what is
 * wrong with the others. Whatever is wrong is taken out and parsed again without; to read it throws.
 */

type Path = readonly PropertyKey[];

/** Thrown by a field that has no value because what was written for it is wrong. */
export class Unreadable extends Error {}

/** A node with everything optional, which hides nothing for want of something else. */
const LOOSE = lenient(nodeSchema);

/** The node as far as its fields are right; a field that is not throws `Unreadable` when it is read. */
export function readable(tree: unknown): NodeConfig {
  const { value, lost } = salvage(isTree(tree) ? tree : {});
  for (const path of lost) close(value, path);
  return value as NodeConfig;
}

/** Does something with a node that may be readable in part. */
export function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
  }
}

/** Parses what is left when everything wrong is taken out; what has no value then is `lost`. */
function salvage(whole: Tree): { value: Tree; lost: Path[] } {
  const lost = placesOf(nodeSchema.safeParse(whole)).map((path) => untilList(whole, path));
  for (let tree: unknown = whole; ;) {
    const result = LOOSE.safeParse(tree);
    if (result.success) return { value: result.data as Tree, lost };
    const round: Path[] = [];
    for (const path of placesOf(result)) {
      if (round.some((other) => isWithin(path, other))) continue;
      const place = removable(tree, path);
      tree = without(tree, place);
      round.push(place);
    }
    lost.push(...round);
  }
}

/** The same schema with every key of an object optional: one that is missing hides no other. */
function lenient(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return lenient(schema.unwrap() as z.ZodType).optional();
  if (schema instanceof z.ZodDefault)
    return lenient(schema.unwrap() as z.ZodType).default(schema.def.defaultValue);
  if (!(schema instanceof z.ZodObject)) return schema;
  const shape = schema.shape as z.ZodRawShape as Readonly<Record<string, z.ZodType>>;
  return z.strictObject(
    Object.fromEntries(
      Object.entries(shape).map(([key, inner]) => [key, lenient(inner).optional()]),
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

/** What has to go for a problem to go: the value itself; for one that is missing, what it is missing from. */
function removable(tree: unknown, path: Path): Path {
  let place = untilList(tree, path);
  while (!has(tree, place)) place = place.slice(0, -1);
  return place;
}

/** The path, but not into a list: without one of its entries, the others would move up. */
function untilList(tree: unknown, path: Path): Path {
  let at = tree;
  for (const [depth, key] of path.entries()) {
    if (Array.isArray(at)) return path.slice(0, depth);
    at = isTree(at) && Object.hasOwn(at, key) ? at[String(key)] : undefined;
  }
  return path;
}

function without(tree: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined || !isTree(tree)) return undefined;
  const entries = Object.entries(tree);
  if (rest.length === 0) return Object.fromEntries(entries.filter(([name]) => name !== key));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, name === key ? without(value, rest) : value]),
  );
}

/** Puts a field in place that throws; not enumerable, so that going over the others passes it by. */
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
