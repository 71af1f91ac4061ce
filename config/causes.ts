import { describeProblem, keyText, type Problem } from "./problems";
import { has, type Tree } from "./tree";

/*
 * A mistake is told once, however many nodes it reaches: where it was written, and whom it concerns.
 */

/** How many nodes are named one by one. */
const NAMED = 4;

/** A problem, and the node whose settings have it. */
export interface Found {
  readonly node: string;
  readonly problem: Problem;
}

/** A problem of a node's merged settings, at the place that was written: the node's own, or `defaults`. */
export function locate(problem: Problem, defaults: unknown, nodes: Tree): Found {
  const [, node, ...rest] = problem.path;
  const name = String(node);
  const inDefaults = !has(nodes[name], rest) && has(defaults, rest);
  return {
    node: name,
    problem: inDefaults ? { ...problem, path: ["defaults", ...rest] } : problem,
  };
}

/** Every problem once: what several nodes have in common is one, with a word on whom it concerns. */
export function byCause(found: readonly Found[]): Problem[] {
  const causes = new Map<string, Found[]>();
  const seen = new Map<string, number>();
  for (const one of found) {
    const cause = causeOf(one.problem);
    // Two of a kind in one node are two.
    const own = `${one.node} ${cause}`;
    const nth = seen.get(own) ?? 0;
    seen.set(own, nth + 1);
    const key = `${nth} ${cause}`;
    causes.set(key, [...(causes.get(key) ?? []), one]);
  }
  return [...causes.values()].flatMap(([first, ...others]) => (first ? [told(first, others)] : []));
}

/** Two problems with this in common have one cause: numbers in what is allowed are those of the node. */
function causeOf(problem: Problem): string {
  const [section, , ...rest] = problem.path;
  const path = section === "nodes" ? ["nodes", "*", ...rest] : problem.path;
  const allowed = problem.allowed.replace(/\d[\d./:]*/g, "#");
  return describeProblem({ ...problem, path, allowed });
}

function told({ problem }: Found, others: readonly Found[]): Problem {
  if (others.length === 0) return problem;
  if (problem.path[0] === "defaults") return { ...problem, scope: `in ${others.length + 1} nodes` };
  const names = others.map(({ node }) => keyText(node));
  const more = names.length > NAMED ? [`${names.length - NAMED} more`] : [];
  const list = new Intl.ListFormat("en").format([...names.slice(0, NAMED), ...more]);
  return { ...problem, scope: `also in ${list}` };
}
