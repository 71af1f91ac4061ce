/** Describes a recovery: its steps beforehand, and afterwards the result beside what is required. */
import { duration } from "../duration";
import { secondsBetween, type Outcome, type Recovery } from "./steps";

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
