/** What was found, for people and for programs. */
import type { Waiver } from "../../config/schema/waivers";
import { tableRows } from "../table";
import type { Finding } from "./check";
import type { Result, State } from "./judge";

/** Figures of a node, or of several. */
export interface Figures {
  readonly checks: number;
  readonly passed: number;
  /** Checks that found something, waived or not. */
  readonly raw: number;
  readonly waived: number;
  /** Checks that found something that no waiver stands for. */
  readonly net: number;
  /** Checks that only a person can judge. */
  readonly person: number;
}

export function countResults(results: readonly Result[]): Figures {
  const count = (state: State): number => results.filter((one) => one.state === state).length;
  const [waived, net] = [count("waived"), count("warn")];
  const person = count("person");
  return { checks: results.length, passed: count("pass"), raw: waived + net, waived, net, person };
}

const MARKS: Readonly<Record<State, string>> = { pass: "✓", warn: "✗", waived: "~", person: "?" };

/** A table for each node. Without `all` it leaves out what passed and what a person has to judge. */
export function toTable(
  results: readonly Result[],
  unused: readonly Waiver[],
  all: boolean,
): string {
  const names = [...new Set(results.map(({ node }) => node))];
  const tables = names.map((name) => {
    const mine = results.filter(({ node }) => node === name);
    const shown = mine.filter(({ state }) => all || state === "warn" || state === "waived");
    return [
      `${name}:`,
      ...tableRows(shown.map(cellsOf)),
      `  ${summarize(countResults(mine))}`,
    ].join("\n");
  });
  return [...tables, ...unused.map(describeUnneeded)].join("\n\n");
}

function cellsOf({ id, state, title, findings, open, waivers }: Result): string[] {
  const why = waivers.map((one) => `waived until ${one.expires} (${one.owner}): ${one.reason}`);
  const lines = state === "waived" ? findings.map(lineOf) : open.map(lineOf);
  return [`  ${MARKS[state]} ${id}`, title, [...lines, ...why].join("\n")];
}

const lineOf = ({ what, container }: Finding): string =>
  container === undefined ? what : `${container}: ${what}`;

const summarize = ({ checks, passed, raw, waived, net, person }: Figures): string =>
  `${checks} checks: ${passed} passed, ${raw} warnings, ${waived} waived, ${net} left; ${person} for a person to judge`;

const describeUnneeded = ({ id, node, container }: Waiver): string =>
  `waiver of ${id} for ${node}${container ? `, container ${container}` : ""}: nothing needs it; take it out`;

export function toJson(
  stack: string,
  results: readonly Result[],
  unused: readonly Waiver[],
): string {
  return JSON.stringify({ stack, ...countResults(results), unused, checks: results }, null, 2);
}
