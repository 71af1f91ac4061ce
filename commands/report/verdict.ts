/** Whether the parts of a report are in order. */
import { isLate } from "../backups/coverage";
import type { State } from "../validate/row";
import type { ContainerFacts, ImageFacts, Known, NodeReport } from "./model";

/** `none`: there is nothing to judge. */
export type Mark = "good" | "bad" | "unknown" | "none";

export interface Verdict {
  readonly id: string;
  readonly title: string;
  readonly mark: Mark;
}

/** Reason of a row that was left out on purpose. It is no finding. */
export const LEFT_OUT = "left out by --without-load";

const judgeKnown = <T>(part: Known<T>, isGood: (value: T) => boolean): Mark => {
  if ("reason" in part) return "unknown";
  return isGood(part.value) ? "good" : "bad";
};

const makeVerdict = (id: string, title: string, mark: Mark): Verdict => ({ id, title, mark });

/** Every part of a node's report, in the order of the page; `id` is its section. */
export function verdictsOn(report: NodeReport): Verdict[] {
  return [
    makeVerdict("docker", "Docker", judgeKnown(report.docker, isAlways)),
    makeVerdict("networks", "Networks", judgeKnown(report.networks, isAlways)),
    makeVerdict("containers", "Containers", judgeKnown(report.containers, areHealthy)),
    makeVerdict("security", "Security", securityMark(report)),
    makeVerdict("backups", "Backups", backupsMark(report)),
    makeVerdict("drill", "Last drill", drillMark(report)),
    makeVerdict("alerts", "Alerts", alertsMark(report)),
    makeVerdict("validation", "Validation", validationMark(report)),
    makeVerdict("drift", "Drift", driftMark(report)),
  ];
}

const isAlways = (): boolean => true;

/** A container may be stopped on purpose, but not unhealthy. */
const areHealthy = (all: readonly ContainerFacts[]): boolean =>
  !all.some(({ health }) => health === "unhealthy");

/** Drills are the lab's. A node without one gets no mark. */
function drillMark({ drill }: NodeReport): Mark {
  if ("reason" in drill) return "none";
  return drill.value.rehearsals.every(({ ok }) => ok) ? "good" : "bad";
}

function securityMark({ security, images, waivers }: NodeReport): Mark {
  const expired = waivers.some(({ daysLeft }) => daysLeft < 0);
  const marks = [
    judgeKnown(security, ({ net }) => net === 0),
    ...(images ? [imagesMark(images)] : []),
  ];
  if (expired || marks.includes("bad")) return "bad";
  return marks.includes("unknown") ? "unknown" : "good";
}

function imagesMark(images: Known<ImageFacts>): Mark {
  if ("reason" in images) return "unknown";
  const { open, unknown } = images.value;
  if (open.length > 0) return "bad";
  return unknown.length > 0 ? "unknown" : "good";
}

function backupsMark({ backups }: NodeReport): Mark {
  if (!backups) return "none";
  if ("reason" in backups) return "unknown";
  const known = backups.value.filter(({ state }) => state !== "unknown");
  if (isLate(known)) return "bad";
  return known.length < backups.value.length ? "unknown" : "good";
}

/** Without a Prometheus there is no mark. */
const alertsMark = ({ alerts }: NodeReport): Mark =>
  alerts ? judgeKnown(alerts, ({ length }) => length === 0) : "none";

function validationMark({ validation }: NodeReport): Mark {
  const wanted = validation.filter(({ reason }) => reason !== LEFT_OUT);
  const has = (state: State): boolean => wanted.some((row) => row.state === state);
  if (has("not held")) return "bad";
  return has("not measured") ? "unknown" : "good";
}

function driftMark({ drift }: NodeReport): Mark {
  if ("reason" in drift) return "unknown";
  const { changes, looks, problems } = drift.value;
  if (changes.length + looks.length > 0) return "bad";
  return problems.length > 0 ? "unknown" : "good";
}

/** Whether nothing needs action. */
export const isSound = (reports: readonly NodeReport[]): boolean =>
  reports.flatMap(verdictsOn).every(({ mark }) => mark === "good" || mark === "none");
