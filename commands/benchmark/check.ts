/** How a check judges, and what it finds. */
import type { JudgedId } from "../../config/waivers/benchmark";
import { nameOf, type BenchContainer, type Facts } from "./facts";

/** A finding; it names the container if it concerns one. */
export interface Finding {
  readonly what: string;
  readonly container?: string;
  /** Port of the node, where the finding is one. */
  readonly port?: number;
}

/** What is wrong; nothing where the check is met. */
export type Judge = (facts: Facts) => readonly Finding[];

/** Judges by id; a group of checks has some of all. */
export type Judges = Readonly<Partial<Record<JudgedId, Judge>>>;

/** A check of the host that holds, or what is found instead. */
export const holds = (met: boolean, found: string): Finding[] => (met ? [] : [{ what: found }]);

/** A check of every running container: what is found of one that does not meet it. */
export function judgeEach(wrong: (container: BenchContainer) => string | false | undefined): Judge {
  return ({ containers }) =>
    containers.flatMap((one) => {
      const what = wrong(one);
      return what ? [{ what, container: nameOf(one) }] : [];
    });
}
