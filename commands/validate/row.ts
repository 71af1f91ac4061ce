/** A row of the validation: one question about a node, with a figure and a threshold. */
import type { Subject } from "./subject";

/** What was found of a row that could be measured. */
export interface Judgement {
  readonly holds: boolean;
  /** What was measured, with its unit. */
  readonly figure: string;
}

/** A node, among those of its stack. */
export type Declared = Pick<Subject, "name" | "node" | "nodes">;

/** A question about a node: what is measured, how, and against which threshold. */
export interface Row {
  readonly id: string;
  readonly title: string;
  /** How it is measured. */
  readonly how: string;
  /** Whether measuring it loads the node, or writes to it. */
  readonly loads?: boolean;
  /** What has to be measured; undefined if the stack declares nothing of the kind for this node. */
  readonly threshold: (declared: Declared) => string | undefined;
  /** @throws Error with the reason when it cannot be measured */
  readonly measure: (subject: Subject) => Judgement | Promise<Judgement>;
}

/** What became of a row. `not declared`: the stack has nothing that it could measure. */
export type State = "held" | "not held" | "not measured" | "not declared";

/** A row of one node, after it was tried. */
export interface Result extends Pick<Row, "id" | "title" | "how"> {
  readonly node: string;
  readonly state: State;
  readonly threshold?: string;
  readonly figure?: string;
  /** Why it was not measured. */
  readonly reason?: string;
}

/** Judges things that have to be as declared: names those that are not, or says how many there are. */
export function judgeAll(what: string, count: number, wrong: readonly string[]): Judgement {
  const figure = wrong.length > 0 ? wrong.join("; ") : `${count} ${what} as declared`;
  return { holds: wrong.length === 0, figure };
}
