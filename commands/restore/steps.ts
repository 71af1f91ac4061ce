/** A recovery as a list of steps. They are shown, or run one after the other and undone when one fails. */
import { RPO } from "../../config/backups";
import { MINUTE } from "../duration";

export interface Step {
  readonly title: string;
  /** What a person could type instead. */
  readonly command?: string;
  /** What it found, for the reader, if anything. */
  readonly run: () => Promise<string | undefined>;
  /** Brings back what was before; run after a later step, or this one, failed. */
  readonly undo?: { readonly title: string; readonly run: () => Promise<unknown> };
  /** After it succeeds nothing is undone, because the later steps can be repeated. */
  readonly commits?: boolean;
}

/** Refuses a recovery that would do harm or cannot end well. */
export class Refusal extends Error {}

/** The required figures of the specification, in seconds. */
export interface Objectives {
  readonly rto: number;
  readonly rpo: number;
}

/** One recovery, decided but not begun. */
export interface Recovery {
  readonly title: string;
  /** The snapshot it restores; none when the definition is in the program. */
  readonly snapshot?: string;
  /** The time that the restored state is of. */
  readonly takenAt?: Date;
  readonly objectives: Objectives;
  /** Volumes that come up empty. */
  readonly lost?: readonly string[];
  /** What the reader should weigh before it begins. */
  readonly cautions?: readonly string[];
  readonly steps: readonly Step[];
  /** What is left for the reader to do or to know after success. */
  readonly afterwards: readonly string[];
}

/** How a recovery went. */
export interface Outcome {
  readonly ok: boolean;
  /** Seconds it took, undoing included. */
  readonly seconds: number;
  /** Age of the snapshot at the beginning, in seconds; 0 without one. */
  readonly age: number;
  readonly error?: string;
}

/** Drops the result of a step, so that the step has no message. */
export const forget = async (work: Promise<unknown>): Promise<undefined> => {
  await work;
  return undefined;
};

/** Specification, section 4. Containers and the platform come from the backup of the configuration. */
export const OBJECTIVES = {
  container: { rto: 10 * MINUTE, rpo: RPO.configuration },
  volume: { rto: 30 * MINUTE, rpo: RPO.volume },
  platform: { rto: 60 * MINUTE, rpo: RPO.configuration },
  vm: { rto: 90 * MINUTE, rpo: RPO.vm },
} as const satisfies Record<string, Objectives>;

export type Kind = keyof typeof OBJECTIVES;

/** Seconds from one time to another. */
export const secondsBetween = (from: Date, to: Date): number =>
  (to.getTime() - from.getTime()) / 1000;
