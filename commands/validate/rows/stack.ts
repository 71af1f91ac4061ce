/** Rows about the node as its stack has it: the benchmark with its waivers, backups, drift. */
import { NOTHING, type Look } from "../../../clients/drift";
import { describeDifference } from "../../../node/checks";
import type { Row as BackupRow } from "../../backups/evidence";
import { isLate } from "../../backups/coverage";
import type { Result as Check } from "../../benchmark/judge";
import { countResults } from "../../benchmark/report";
import type { Change, Plan } from "../../plan/model";
import type { Judgement, Row } from "../row";

/** No check is left that warns without a waiver. */
export function judgeBenchmark(checks: readonly Check[]): Judgement {
  const { raw, waived, net } = countResults(checks);
  const left = checks.filter(({ state }) => state === "warn").map(({ id }) => id);
  const figure = [`${raw} warnings, ${waived} waived`, ...left].join("; ");
  return { holds: net === 0, figure };
}

/** What the CIS benchmark finds. */
export const benchmark: Row = {
  id: "benchmark",
  title: "Security benchmark",
  how: "docker-node benchmark: CIS Docker, sections 1 to 5",
  threshold: () => "no warning without a waiver",
  measure: async (subject) => judgeBenchmark(await subject.benchmark()),
};

/** @throws Error when one of them did not answer */
export function judgeBackups(rows: readonly BackupRow[]): Judgement {
  const unknown = rows.find(({ state }) => state === "unknown");
  if (unknown) throw new Error(`${unknown.kind} ${unknown.item}: ${unknown.detail ?? "unknown"}`);
  const wrong = rows.filter((row) => isLate([row]));
  const good = rows.filter(({ state }) => state === "ok").length;
  const told = wrong.map(({ kind, item, state }) => `${kind} ${item}: ${state}`);
  return { holds: wrong.length === 0, figure: [`${good} in order`, ...told].join("; ") };
}

/** Ages of the backups against their RPO. */
export const backups: Row = {
  id: "backups",
  title: "Backups",
  how: "docker-node backups: what the backup server and Proxmox have",
  threshold: ({ node }) => node.backups && "all within their RPO",
  measure: async (subject) => judgeBackups(await subject.backups()),
};

/** What is not as recorded of a node. @throws Error when pulumi failed */
export function changesOf(node: string, plan: Plan): readonly Change[] {
  if (plan.failed) {
    const error = plan.diagnostics.find(({ severity }) => severity === "error");
    throw new Error(`pulumi failed: ${error?.message ?? "it does not say why"}`);
  }
  return plan.nodes.find(({ name }) => name === node)?.changes ?? [];
}

/** The environment turns the look off. */
const NOT_TAKEN: Look = { ...NOTHING, problems: ["nobody looked: DOCKER_NODE_DRIFT is off"] };

/** What was changed by hand on a node, and why a part of it could not be looked at. */
export function lookOf(node: string, plan: Plan): Look {
  return plan.looks ? (plan.looks.find(({ name }) => name === node) ?? NOTHING) : NOT_TAKEN;
}

/** @throws Error when pulumi failed, or when nothing differs but not everything was looked at */
export function judgeDrift(node: string, plan: Plan): Judgement {
  const { differences, problems } = lookOf(node, plan);
  const changes = changesOf(node, plan).map(({ action, name }) => `${action} ${name}`);
  const found = [...changes, ...differences.map(describeDifference)];
  if (found.length === 0 && problems.length > 0) throw new Error(problems.join("; "));
  const unseen = problems.map((problem) => `not looked at: ${problem}`);
  return { holds: found.length === 0, figure: [...found, ...unseen].join(", ") || NO_DRIFT };
}

const NO_DRIFT = "nothing differs";

/** What was changed by hand. */
export const drift: Row = {
  id: "drift",
  title: "Drift",
  how: "docker-node plan --drift: pulumi refresh --preview-only, and the node's files",
  threshold: () => NO_DRIFT,
  measure: async (subject) => judgeDrift(subject.name, await subject.drift()),
};
