import { keyText, type Problem } from "../problems";
import type { Place } from "../schema/placement";
import { isTree, type Tree } from "../tree";
import { rankNodes } from "./rank";
import type { Unit } from "./units";

/** Where a unit runs. */
export interface Placement {
  /** Such as `workloads.web` or `compose.shop`. */
  readonly name: string;
  /** Its workloads. */
  readonly workloads: readonly string[];
  /** Its nodes; those that the program chose are in the order in which it prefers them. */
  readonly nodes: readonly string[];
  /** Whether the configuration names its node. */
  readonly pinned: boolean;
  /** Volumes that a move may leave behind. */
  readonly leaves: readonly string[];
}

/** A node as placement sees it. */
export interface Candidate {
  readonly name: string;
  readonly labels: Tree;
  /** Takes no workload that is spread. */
  readonly drained: boolean;
}

/** What placement needs to know of the nodes, from their settings as they are written. */
export function candidatesOf(trees: Readonly<Record<string, unknown>>): Candidate[] {
  return Object.entries(trees).map(([name, tree]) => {
    const { labels, drain } = isTree(tree) ? tree : {};
    return { name, labels: isTree(labels) ? labels : {}, drained: drain !== undefined };
  });
}

/** Chooses the nodes of each unit. One that finds too few is a problem. The same input always gives the same result. */
export function placeUnits(
  units: readonly Unit[],
  nodes: readonly Candidate[],
  problems: Problem[],
): Placement[] {
  return units.map(({ path, place, workloads }) => {
    const report = (key: string, value: unknown, allowed: string): void => {
      problems.push({ path: [...path, "place", key], value, allowed });
    };
    const choose = place.node === undefined ? chooseBest : choosePinned;
    const chosen = choose(path.join("."), place, nodes, report);
    const rest = { pinned: place.node !== undefined, leaves: place.leaves };
    return { name: path.join("."), workloads: Object.keys(workloads), nodes: chosen, ...rest };
  });
}

type Report = (key: string, value: unknown, allowed: string) => void;

const listNames = (names: readonly string[]): string =>
  names.map(keyText).join(", ") || "there is none";

function choosePinned(
  _key: string,
  { node = "", labels, replicas }: Place,
  nodes: readonly Candidate[],
  report: Report,
): string[] {
  const names = nodes.map(({ name }) => name);
  if (replicas > 1) report("replicas", replicas, "1, since place.node names one node");
  if (Object.keys(labels).length > 0) report("labels", labels, "none, since place.node names one");
  if (names.includes(node)) return [node];
  report("node", node, `a node of this stack: ${listNames(names)}`);
  return [];
}

/** The nodes with the labels, without those that are drained, the best ones first. */
function chooseBest(
  key: string,
  { labels, replicas }: Place,
  nodes: readonly Candidate[],
  report: Report,
): string[] {
  const wanted = Object.entries(labels);
  const fitting = nodes.filter((node) =>
    wanted.every(([label, value]) => node.labels[label] === value),
  );
  const free = fitting.filter(({ drained }) => !drained).map(({ name }) => name);
  if (free.length >= replicas) return rankNodes(key, free).slice(0, replicas);
  const drained = fitting.flatMap((node) => (node.drained ? [node.name] : []));
  const without = drained.length > 0 ? `; drained: ${listNames(drained)}` : "";
  const how = wanted.length > 0 ? "with these labels" : "of this stack";
  const [what, value] =
    fitting.length === 0 && wanted.length > 0
      ? (["labels", labels] as const)
      : (["replicas", replicas] as const);
  report(what, value, `no more than the nodes ${how} that take it: ${listNames(free)}${without}`);
  return [];
}
