import type { Problem } from "../problems";
import { has, isTree, type Tree } from "../tree";

/*
 * What docker compose made of the files of a project: one model, every service complete. Messages never hold its values, which
 * may come from an environment.
 */

/** The files of a project, as `docker compose config` read them. */
export interface Composed {
  /** The model, as JSON; undefined if the files could not be read. */
  readonly model?: unknown;
  /** Why not. */
  readonly complaint?: string;
  /** Each file by itself, in order, to say in which one a key stands. */
  readonly sources: readonly { readonly file: string; readonly tree: unknown }[];
}

/** Name of the workload that a service of a project is. */
export const workloadName = (project: string, service: string): string => `${project}-${service}`;

/** Refuses a key: its path in the model, and what is allowed or the way around. */
export type Refuse = (path: readonly PropertyKey[], allowed: string) => void;

/** Reports problems of a project's files, by project, file and path. */
export function refuseIn(project: string, composed: Composed, problems: Problem[]): Refuse {
  return (path, allowed) => {
    const place = placeIn(project, composed, path);
    problems.push({ path: place, value: undefined, found: "is not taken over", allowed });
  };
}

/** Where something of the model was written. */
export function placeIn(
  project: string,
  { sources }: Composed,
  path: readonly PropertyKey[],
): PropertyKey[] {
  const depths = sources.map(({ tree }) => depthOf(tree, path));
  const at = depths.lastIndexOf(Math.max(...depths));
  return ["compose", project, sources[at]?.file ?? "files", ...path];
}

/** How many leading keys of a path a file contains. Includes and anchors may bring in the rest. */
function depthOf(tree: unknown, path: readonly PropertyKey[]): number {
  const missing = path.findIndex((_, index) => !has(tree, path.slice(0, index + 1)));
  return missing < 0 ? path.length : missing;
}

/** A part of the model that is a map; empty if it is nothing of the kind. */
export const treeIn = (tree: unknown, key: string): Tree => {
  const value = isTree(tree) ? tree[key] : undefined;
  return isTree(value) ? value : {};
};

/** Whether compose wrote a key only to say that there is nothing. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** The entries of a map that say something. */
export const entriesOf = (tree: unknown): [string, unknown][] =>
  isTree(tree) ? Object.entries(tree).filter(([, value]) => !isEmpty(value)) : [];

/** The items of a list. */
export const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A text or number as text. */
export const textOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

/** Lays two parts of a workload together: lists one after the other, maps key by key. */
export function combineParts(one: Tree, other: Tree): Tree {
  const result = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const before = result[key];
    if (Array.isArray(before) && Array.isArray(value))
      result[key] = [...itemsOf(before), ...itemsOf(value)];
    else if (isTree(before) && isTree(value)) result[key] = combineParts(before, value);
    else result[key] = value;
  }
  return result;
}
