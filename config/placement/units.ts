import { readProject } from "../compose/project";
import type { Composed } from "../compose/model";
import { problemsOf } from "../issues";
import { keyText, type Problem } from "../problems";
import { composeSchema, type ComposeProject } from "../schema/compose";
import { placeSchema, type Place } from "../schema/placement";
import { isTree, type Tree } from "../tree";

/** What is placed together: a workload of the stack, or all services of a compose project. */
export interface Unit {
  /** Such as `workloads.web` or `compose.shop`. */
  readonly path: readonly [section: "workloads" | "compose", name: string];
  readonly place: Place;
  /** Not yet checked, by name. */
  readonly workloads: Readonly<Record<string, Tree>>;
  /** Where each is written. */
  readonly origins: Readonly<Record<string, readonly PropertyKey[]>>;
}

/** The sections that units come from, not yet checked. */
export interface RawUnits {
  readonly workloads?: unknown;
  readonly compose?: unknown;
  /** What docker compose made of the files of each project. */
  readonly composed?: Readonly<Record<string, Composed>>;
}

/** Reads what the program places. A name belongs to one workload of the stack. */
export function readUnits(raw: RawUnits, problems: Problem[]): Unit[] {
  const units = [...ownUnits(raw.workloads, problems), ...composeUnits(raw, problems)];
  const owners = new Map<string, string>();
  for (const { path, origins } of units)
    for (const [name, origin] of Object.entries(origins)) {
      const owner = owners.get(name);
      if (owner !== undefined)
        problems.push({
          path: origin,
          value: name,
          allowed: `a name of its own; ${owner} has ${keyText(name)} already`,
        });
      else owners.set(name, path.join("."));
    }
  return units;
}

function ownUnits(section: unknown, problems: Problem[]): Unit[] {
  if (section === undefined) return [];
  if (!isTree(section)) {
    problems.push({ path: ["workloads"], value: section, allowed: "a map of keys" });
    return [];
  }
  return Object.entries(section).flatMap(([name, workload]): Unit[] => {
    const path = ["workloads", name] as const;
    const { place = {}, ...rest } = isTree(workload) ? workload : {};
    const read = placeSchema.safeParse(place, { reportInput: true });
    if (read.error) problems.push(...problemsOf(read.error, [...path, "place"]));
    if (!read.data) return [];
    return [{ path, place: read.data, workloads: { [name]: rest }, origins: { [name]: path } }];
  });
}

function composeUnits({ compose = {}, composed = {} }: RawUnits, problems: Problem[]): Unit[] {
  const read = composeSchema.safeParse(compose, { reportInput: true });
  if (read.error) problems.push(...problemsOf(read.error, ["compose"]));
  return Object.entries(read.data ?? {}).flatMap(([name, project]): Unit[] => {
    const files = composed[name] ?? { complaint: "they were not read", sources: [] };
    if (files.complaint === undefined) return [toUnit(name, project, files, problems)];
    problems.push({
      path: ["compose", name, "files"],
      value: project.files,
      found: files.complaint,
      allowed: "files that docker compose config reads",
    });
    return [];
  });
}

function toUnit(name: string, project: ComposeProject, files: Composed, problems: Problem[]): Unit {
  const read = Object.entries(readProject(name, project, files, problems));
  return {
    path: ["compose", name],
    place: project.place,
    workloads: Object.fromEntries(read.map(([workload, one]) => [workload, one.workload])),
    origins: Object.fromEntries(read.map(([workload, { origin }]) => [workload, origin])),
  };
}
