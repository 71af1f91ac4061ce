/** A recovery as a list of steps: shown, or done one after the other and taken back when one fails. */
import type { Print } from "../command";
import { HOUR, MINUTE, duration } from "../duration";

export interface Step {
  readonly title: string;
  /** What a person could type instead. */
  readonly command?: string;
  /** What it found, for the reader, if anything. */
  readonly run: () => Promise<string | undefined>;
  /** Brings back what was before; run after a later step, or this one, failed. */
  readonly undo?: { readonly title: string; readonly run: () => Promise<unknown> };
  /** From its success on nothing is taken back: what comes after can be repeated. */
  readonly commits?: boolean;
}

/** What is lost when, in seconds: the required figures of the specification. */
export interface Objectives {
  readonly rto: number;
  readonly rpo: number;
}

/** One recovery, decided but not begun. */
export interface Recovery {
  readonly title: string;
  /** The snapshot it restores; none when the definition is in the program. */
  readonly snapshot?: string;
  /** When the restored state was real. */
  readonly takenAt?: Date;
  readonly objectives: Objectives;
  readonly steps: readonly Step[];
  /** What is left for the reader to do or to know, once all went well. */
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

/** A step that finds nothing worth telling. */
export const done = async (work: Promise<unknown>): Promise<undefined> => {
  await work;
  return undefined;
};

/** Specification, section 4. */
export const OBJECTIVES = {
  container: { rto: 10 * MINUTE, rpo: 4 * HOUR },
  volume: { rto: 30 * MINUTE, rpo: 24 * HOUR },
  platform: { rto: 60 * MINUTE, rpo: 4 * HOUR },
  vm: { rto: 90 * MINUTE, rpo: 24 * HOUR },
} as const satisfies Record<string, Objectives>;

export type Kind = keyof typeof OBJECTIVES;

/** Everything a recovery would do. */
export function describe(recovery: Recovery, now: Date): string {
  const { title, steps, objectives, afterwards } = recovery;
  const lines = steps.flatMap(({ title: step, command, undo }, index) => [
    `${String(index + 1).padStart(3)}. ${step}`,
    ...(command ? [`       ${command.split("\n").join("\n       ")}`] : []),
    ...(undo ? [`       if it fails: ${undo.title}`] : []),
  ]);
  const required = `required: RTO below ${duration(objectives.rto)}, RPO below ${duration(objectives.rpo)}`;
  return [
    title,
    source(recovery, now),
    required,
    "",
    ...lines,
    ...afterwards.map((line) => `\nafterwards: ${line}`),
  ].join("\n");
}

/** The same for programs; without an outcome nothing was done yet. */
export function json(
  { title, snapshot, takenAt, objectives, ...rest }: Recovery,
  outcome?: Outcome,
): string {
  const steps = rest.steps.map(({ title: step, command }) => ({ title: step, command }));
  const { afterwards } = rest;
  return JSON.stringify(
    { title, snapshot, takenAt, objectives, steps, afterwards, outcome },
    null,
    2,
  );
}

function source({ snapshot, takenAt }: Recovery, now: Date): string {
  if (!takenAt) return "from:     the program's own definition";
  return `from:     ${snapshot ?? ""}, ${duration(secondsBetween(takenAt, now))} old`;
}

const secondsBetween = (from: Date, to: Date): number => (to.getTime() - from.getTime()) / 1000;

interface Circumstances {
  readonly now?: () => Date;
  /** Stops it between two steps, as a failure would. */
  readonly signal?: AbortSignal;
  /** When somebody began to wait; default: now. */
  readonly since?: Date;
}

/** Does it; on failure takes back what was begun, the last first, and says what state things are in. */
export async function perform(
  recovery: Recovery,
  print: Print,
  { now = clock, signal, since: began = now() }: Circumstances = {},
): Promise<Outcome> {
  const error = await attempt(recovery, print, now, signal);
  const seconds = secondsBetween(began, now());
  const age = recovery.takenAt ? secondsBetween(recovery.takenAt, began) : 0;
  return { ok: error === undefined, seconds, age, ...(error === undefined ? {} : { error }) };
}

/** What went wrong, and the state after it. */
async function attempt(
  recovery: Recovery,
  print: Print,
  now: () => Date,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const begun: Step[] = [];
  try {
    for (const [index, step] of recovery.steps.entries()) {
      signal?.throwIfAborted();
      if (begun.at(-1)?.commits) begun.length = 0;
      begun.push(step);
      await performStep(step, `${index + 1}/${recovery.steps.length}`, print, now);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    print(`FAILED: ${reason}`);
    const state = await takeBack(begun, recovery, print);
    print(state);
    return `${reason}\n${state}`;
  }
  return undefined;
}

const clock = (): Date => new Date();

async function performStep(
  { title, run }: Step,
  at: string,
  print: Print,
  now: () => Date,
): Promise<void> {
  const began = now();
  print(`${began.toISOString().slice(11, 19)}  ${at} ${title}`);
  const found = await run();
  const took = duration(secondsBetween(began, now()));
  print(`          ${found ?? "done"} (${took})`);
}

/** Stops at the first thing that cannot be taken back: what is kept for it must not be removed. */
async function takeBack(begun: readonly Step[], recovery: Recovery, print: Print): Promise<string> {
  const committed = isPastCommit(begun, recovery);
  const pending = begun.flatMap(({ undo }) => (undo ? [undo] : [])).reverse();
  for (const [index, { title, run }] of pending.entries()) {
    print(`          taking back: ${title}`);
    try {
      await run();
    } catch (error) {
      const left = pending.slice(index).map((undo) => undo.title);
      const reason = error instanceof Error ? error.message : String(error);
      return `state: NOT as before. This could not be taken back: ${left.join("; ")} (${reason})`;
    }
  }
  if (committed) return `state: restored, but "${begun.at(-1)?.title ?? ""}" is still to be done`;
  return "state: as it was before, nothing is lost";
}

/** Whether a step that commits came before the first one that could be taken back. */
function isPastCommit(begun: readonly Step[], { steps }: Recovery): boolean {
  const first = begun[0];
  return first !== undefined && steps.slice(0, steps.indexOf(first)).some(({ commits }) => commits);
}

/** The last lines a person reads: measured against required. */
export function verdict({ objectives, takenAt }: Recovery, { seconds, age }: Outcome): string {
  const against = (value: number, limit: number): string =>
    `${duration(value)} (required: below ${duration(limit)}${value < limit ? "" : ", MISSED"})`;
  return [
    `RTO measured: ${against(seconds, objectives.rto)}`,
    takenAt
      ? `RPO measured: ${against(age, objectives.rpo)}`
      : "RPO measured: nothing lost, the definition is in the program",
  ].join("\n");
}
