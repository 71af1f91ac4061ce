/** The coverage map for people and for programs. */
import { isLate } from "./coverage";
import type { Row, State } from "./evidence";
import { durationText } from "../duration";
import { tableRows } from "../table";

/** The map of one node, or why it could not be drawn. */
export interface NodeCoverage {
  readonly node: string;
  readonly rows: readonly Row[];
  readonly error?: string;
}

const MARKS: Readonly<Record<State, string>> = {
  ok: "✓",
  late: "✗",
  never: "✗",
  incomplete: "✗",
  broken: "✗",
  ahead: "✗",
  differs: "✗",
  unknown: "?",
  "not covered": "!",
  excluded: "-",
  "no data": "-",
  gone: "-",
  unfinished: "-",
};

/** Whether everything is within its RPO. */
export const isFresh = (nodes: readonly NodeCoverage[]): boolean =>
  nodes.every(({ rows, error }) => error === undefined && !isLate(rows));

/** Whether every node and server answered. */
export const isKnown = (nodes: readonly NodeCoverage[]): boolean =>
  nodes.every(
    ({ rows, error }) => error === undefined && rows.every(({ state }) => state !== "unknown"),
  );

export function toJson(nodes: readonly NodeCoverage[]): string {
  return JSON.stringify({ fresh: isFresh(nodes), nodes }, null, 2);
}

/** A table for each node. */
export function toTable(nodes: readonly NodeCoverage[]): string {
  return [...nodes.map(nodeTable), verdictOn(nodes)].join("\n\n");
}

function nodeTable({ node, rows, error }: NodeCoverage): string {
  if (error !== undefined) return `${node}: ${error}`;
  const cells = rows.map((row) => [
    `  ${MARKS[row.state]} ${row.kind}`,
    ...[row.item, detailOf(row), usersOf(row)],
  ]);
  return [`${node}:`, ...tableRows(cells)].join("\n");
}

/** `3 h old, of 24 h`, or the state in words, with an explanation. */
function detailOf({ state, age, rpo, detail }: Row): string {
  const about = detail ? ` (${detail})` : "";
  if (state === "ahead") return detail ?? state;
  if (state === "never") return `never backed up${about}`;
  if (age === undefined || rpo === undefined) return `${state}${about}`;
  return `${durationText(age)} old of ${durationText(rpo)} allowed${about}`;
}

const usersOf = ({ usedBy }: Row): string =>
  usedBy.length > 0 ? `used by ${usedBy.join(", ")}` : "";

function verdictOn(nodes: readonly NodeCoverage[]): string {
  const rows = nodes.flatMap(({ rows: all }) => all);
  const backups = rows.filter(({ kind }) => kind !== "retention");
  const count = (state: State, among = backups): number =>
    among.filter((row) => row.state === state).length;
  const parts = [
    `${count("ok")} within their RPO`,
    `${count("late")} beyond it`,
    `${count("never")} never backed up`,
    `${count("not covered")} not covered`,
    ...countOf(count("incomplete"), "incomplete"),
    ...countOf(count("broken"), "broken"),
    ...countOf(count("ahead"), "dated in the future"),
    ...countOf(count("differs", rows), "not kept as declared"),
    ...countOf(count("unknown", rows), "unknown"),
  ];
  return `${parts.join(", ")}: ${isFresh(nodes) ? "fresh" : "NOT fresh"}`;
}

const countOf = (count: number, what: string): string[] => (count > 0 ? [`${count} ${what}`] : []);
