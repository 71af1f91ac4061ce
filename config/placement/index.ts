import { keyText, type Problem } from "../problems";
import { isTree, type Tree } from "../tree";
import { candidatesOf, placeUnits, type Placement } from "./place";
import { readUnits, type RawUnits, type Unit } from "./units";

export type { Placement } from "./place";
export type { RawUnits } from "./units";

/*
 * Workloads of the stack, and those of compose files: the program chooses their nodes, and from then on they are workloads of these
 * nodes as any other. All of it is a function of the configuration, so a preview and the `up` after it agree.
 */

/** The outcome for the stack. */
export interface Placed {
  readonly placements: readonly Placement[];
  /** Settings of the nodes, with the workloads that are placed on them. */
  readonly trees: Tree;
  /** Where a placed workload is written. */
  readonly origins: ReadonlyMap<string, readonly PropertyKey[]>;
}

/**
 * Places everything.
 *
 * @param trees merged settings of the nodes, not yet checked
 */
export function placeWorkloads(raw: RawUnits, trees: Tree, problems: Problem[]): Placed {
  const units = readUnits(raw, problems);
  const placements = placeUnits(units, candidatesOf(trees), problems);
  const unitsOn = (node: string): Unit[] =>
    units.filter((_, index) => placements[index]?.nodes.includes(node));
  const placed = Object.entries(trees).map(
    ([name, tree]) => [name, withUnits(name, tree, unitsOn(name), problems)] as const,
  );
  const origins = units.flatMap((unit) => Object.entries(unit.origins));
  return { placements, trees: Object.fromEntries(placed), origins: new Map(origins) };
}

function withUnits(
  name: string,
  tree: unknown,
  units: readonly Unit[],
  problems: Problem[],
): unknown {
  if (units.length === 0 || !isTree(tree)) return tree;
  const own = isTree(tree.workloads) ? tree.workloads : {};
  for (const { origins } of units)
    for (const [workload, origin] of Object.entries(origins))
      if (workload in own)
        problems.push({
          path: origin,
          value: workload,
          allowed: `a name that no workload under nodes.${keyText(name)}.workloads or defaults.workloads has`,
        });
  const placed = Object.assign({}, ...units.map(({ workloads }) => workloads)) as Tree;
  return { ...tree, workloads: { ...own, ...placed } };
}
