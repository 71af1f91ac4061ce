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

/** Judges by the id of their check. Each file of `checks/` has those of one group. */
export type Judges = Readonly<Partial<Record<JudgedId, Judge>>>;

/** The findings of a check of the host: none if it is met, else what was found. */
export const holds = (met: boolean, found: string): Finding[] => (met ? [] : [{ what: found }]);

/** A check of every running container. `wrong` says what is wrong with one, or nothing. */
export function judgeEach(wrong: (container: BenchContainer) => string | false | undefined): Judge {
  return ({ containers }) =>
    containers.flatMap((one) => {
      const what = wrong(one);
      return what ? [{ what, container: nameOf(one) }] : [];
    });
}
