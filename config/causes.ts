import { describeProblem, keyText, type Problem } from "./problems";
import { has, type Tree } from "./tree";

/*
 * A mistake is reported once, even if it reaches many nodes: where it was written, and which nodes have it.
 */

/** How many nodes a message names. */
const NAMED = 4;

/** A problem, and the node whose settings have it. */
export interface Found {
  readonly node: string;
  readonly problem: Problem;
}

/** Where settings of nodes are written. */
export interface Sources {
  readonly defaults: unknown;
  readonly nodes: Tree;
  /** Places of the workloads that the program puts on nodes, by name. */
  readonly origins: ReadonlyMap<string, readonly PropertyKey[]>;
}

/**
 * Moves a problem of a node's merged settings to the place where the value was written: the node, `defaults`, a workload of the stack
 * or a compose file.
 */
export function locate(problem: Problem, { defaults, nodes, origins }: Sources): Found {
  const [, node, ...rest] = problem.path;
  const name = String(node);
  const [section, workload, ...below] = rest;
  const origin = section === "workloads" ? origins.get(String(workload)) : undefined;
  if (origin) return { node: name, problem: { ...problem, path: [...origin, ...below] } };
  const inDefaults = !has(nodes[name], rest) && has(defaults, rest);
  return {
    node: name,
    problem: inDefaults ? { ...problem, path: ["defaults", ...rest] } : problem,
  };
}

/** Groups problems of nodes that are told where they are, below `nodes` and the node's name. */
export const groupByNode = (problems: readonly Problem[]): Problem[] =>
  groupByCause(problems.map((problem) => ({ node: String(problem.path[1]), problem })));

/** Returns every problem once. A problem that several nodes share becomes one, which names them. */
export function groupByCause(found: readonly Found[]): Problem[] {
  const causes = new Map<string, Found[]>();
  const seen = new Map<string, number>();
  for (const one of found) {
    const cause = causeOf(one.problem);
    // The same problem twice in one node stays two problems.
    const own = `${one.node} ${cause}`;
    const nth = seen.get(own) ?? 0;
    seen.set(own, nth + 1);
    const key = `${nth} ${cause}`;
    causes.set(key, [...(causes.get(key) ?? []), one]);
  }
  return [...causes.values()].flatMap(([first, ...others]) =>
    first ? [withScope(first, others)] : [],
  );
}

/** Two problems with this text have one cause. Numbers in `allowed` are left out, because they differ by node. */
function causeOf(problem: Problem): string {
  const [section, , ...rest] = problem.path;
  const path = section === "nodes" ? ["nodes", "*", ...rest] : problem.path;
  const allowed = problem.allowed.replace(/\d[\d./:]*/g, "#");
  return describeProblem({ ...problem, path, allowed });
}

/** Adds the other nodes that have the problem. */
function withScope({ problem }: Found, others: readonly Found[]): Problem {
  if (others.length === 0) return problem;
  if (problem.path[0] === "defaults") return { ...problem, scope: `in ${others.length + 1} nodes` };
  const names = others.map(({ node }) => keyText(node));
  const more = names.length > NAMED ? [`${names.length - NAMED} more`] : [];
  const list = new Intl.ListFormat("en").format([...names.slice(0, NAMED), ...more]);
  return { ...problem, scope: `also in ${list}` };
}
