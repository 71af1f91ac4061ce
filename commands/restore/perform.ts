/** Runs a recovery step by step, and undoes the finished steps when one fails. */
import { messageOf } from "../../clients/failure";
import type { Print } from "../command";
import { durationText } from "../duration";
import { secondsBetween, type Outcome, type Recovery, type Step } from "./steps";

interface Circumstances {
  readonly now?: () => Date;
  /** Stops it between two steps, as a failure would. */
  readonly signal?: AbortSignal;
  /** Start of the measured time. Default: now. */
  readonly since?: Date;
}

/**
 * Runs the steps. After a failure it undoes the finished steps, the last first, and says in which state that
 * leaves the node.
 */
export async function perform(
  recovery: Recovery,
  print: Print,
  { now = readClock, signal, since: began = now() }: Circumstances = {},
): Promise<Outcome> {
  const error = await tryRecovery(recovery, print, now, signal);
  const seconds = secondsBetween(began, now());
  const age = recovery.takenAt ? secondsBetween(recovery.takenAt, began) : 0;
  return { ok: error === undefined, seconds, age, ...(error === undefined ? {} : { error }) };
}

/** What went wrong, and the state after it. */
async function tryRecovery(
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
    const reason = messageOf(error);
    print(`FAILED: ${reason}`);
    const state = await takeBack(begun, recovery, print);
    print(state);
    return `${reason}\n${state}`;
  }
  return undefined;
}

const readClock = (): Date => new Date();

async function performStep(
  { title, run }: Step,
  at: string,
  print: Print,
  now: () => Date,
): Promise<void> {
  const began = now();
  print(`${began.toISOString().slice(11, 19)}  ${at} ${title}`);
  const found = await run();
  const took = durationText(secondsBetween(began, now()));
  print(`          ${found ?? "done"} (${took})`);
}

/** Stops at the first step that cannot be undone, because the earlier steps keep what is needed for it. */
async function takeBack(begun: readonly Step[], recovery: Recovery, print: Print): Promise<string> {
  const committed = isPastCommit(begun, recovery);
  const pending = begun.flatMap(({ undo }) => (undo ? [undo] : [])).reverse();
  for (const [index, { title, run }] of pending.entries()) {
    print(`          taking back: ${title}`);
    try {
      await run();
    } catch (error) {
      const left = pending.slice(index).map((undo) => undo.title);
      const reason = messageOf(error);
      return `state: NOT as before. These steps could not be undone: ${left.join("; ")} (${reason})`;
    }
  }
  if (committed) return `state: restored, but "${begun.at(-1)?.title ?? ""}" is still to be done`;
  return "state: as it was before, nothing is lost";
}

/** Whether a committing step came before the first step that could be undone. */
function isPastCommit(begun: readonly Step[], { steps }: Recovery): boolean {
  const first = begun[0];
  return first !== undefined && steps.slice(0, steps.indexOf(first)).some(({ commits }) => commits);
}
