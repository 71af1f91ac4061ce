/** Describes a recovery: its steps beforehand, and afterwards the result beside what is required. */
import { durationText } from "../duration";
import { secondsBetween, type Outcome, type Recovery } from "./steps";

/** Everything a recovery would do. */
export function describe(recovery: Recovery, now: Date): string {
  const { title, steps, objectives, cautions = [], afterwards } = recovery;
  const lines = steps.flatMap(({ title: step, command, undo }, index) => [
    `${String(index + 1).padStart(3)}. ${step}`,
    ...(command ? [`       ${command.split("\n").join("\n       ")}`] : []),
    ...(undo ? [`       if it fails: ${undo.title}`] : []),
  ]);
  const required = `required: RTO below ${durationText(objectives.rto)}, RPO below ${durationText(objectives.rpo)}`;
  return [
    title,
    sourceText(recovery, now),
    required,
    ...cautions.map((line) => `caution:  ${line}`),
    "",
    ...lines,
    ...afterwards.map((line) => `\nafterwards: ${line}`),
  ].join("\n");
}

/** The same for programs; without an outcome nothing was done yet. */
export function toJson(
  { title, snapshot, takenAt, objectives, lost, cautions, ...rest }: Recovery,
  outcome?: Outcome,
): string {
  const steps = rest.steps.map(({ title: step, command }) => ({ title: step, command }));
  const { afterwards } = rest;
  return JSON.stringify(
    { title, snapshot, takenAt, objectives, lost, cautions, steps, afterwards, outcome },
    null,
    2,
  );
}

function sourceText({ snapshot, takenAt }: Recovery, now: Date): string {
  if (!takenAt) return "from:     the program's own definition";
  return `from:     ${snapshot ?? ""}, ${durationText(secondsBetween(takenAt, now))} old`;
}

/** The last lines a person reads: measured against required. */
export function verdictOn(recovery: Recovery, { seconds, age }: Outcome): string {
  const { objectives, takenAt, lost = [] } = recovery;
  const compareTo = (value: number, limit: number): string =>
    `${durationText(value)} (required: below ${durationText(limit)}${value < limit ? "" : ", MISSED"})`;
  return [
    `RTO measured: ${compareTo(seconds, objectives.rto)}`,
    ...(lost.length > 0 ? [`RPO MISSED: all that was in ${lost.join(", ")} is lost`] : []),
    ...(takenAt ? [`RPO measured: ${compareTo(age, objectives.rpo)}`] : []),
    ...((takenAt ?? lost.length > 0)
      ? []
      : ["RPO measured: nothing lost, the definition is in the program"]),
  ].join("\n");
}
