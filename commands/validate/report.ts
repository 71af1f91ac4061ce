/** Prints the result for people, for programs, and as JUnit's XML. */
import { escapeMarkup } from "../markup";
import { tableRows } from "../table";
import type { Result, State } from "./row";

const MARKS: Readonly<Record<State, string>> = {
  held: "✓",
  "not held": "✗",
  "not measured": "?",
  "not declared": "-",
};

/** Whether every row holds. A row that was not measured holds only where that is allowed. */
export function isValid(results: readonly Result[], allowUnmeasured: boolean): boolean {
  const wrong: readonly State[] = allowUnmeasured ? ["not held"] : ["not held", "not measured"];
  return !results.some(({ state }) => wrong.includes(state));
}

/** A table for each node: the figure, the threshold, and how it was measured. */
export function toTable(results: readonly Result[], allowUnmeasured: boolean): string {
  const header = ["  row", "found", "has to be", "measured by"];
  const tables = groupByNode(results).map(([name, rows]) => [
    `${name}:`,
    ...tableRows([header, ...rows.map(cellsOf)]),
  ]);
  return [...tables.map((lines) => lines.join("\n")), verdictOn(results, allowUnmeasured)].join(
    "\n\n",
  );
}

/** Nodes in the order they were tried, each with its rows. */
function groupByNode(results: readonly Result[]): [name: string, rows: Result[]][] {
  const names = [...new Set(results.map(({ node }) => node))];
  return names.map((name) => [name, results.filter(({ node }) => node === name)]);
}

function cellsOf({ state, title, figure, threshold = "", reason, how }: Result): string[] {
  const found = reason === undefined ? (figure ?? state) : `not measured: ${reason}`;
  return [`  ${MARKS[state]} ${title}`, fold(found), fold(threshold), fold(how)];
}

/** Lines of a cell, so that a table of long words still fits. */
function fold(text: string, width = 44): string {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}

function verdictOn(results: readonly Result[], allowUnmeasured: boolean): string {
  const count = (state: State): number => results.filter((one) => one.state === state).length;
  const parts = Object.keys(MARKS).map((state) => `${count(state as State)} ${state}`);
  return `${parts.join(", ")}: ${isValid(results, allowUnmeasured) ? "valid" : "NOT valid"}`;
}

/** One object for programs: the stack, whether it is valid, and every row. */
export function toJson(
  stack: string,
  results: readonly Result[],
  allowUnmeasured: boolean,
): string {
  const valid = isValid(results, allowUnmeasured);
  return JSON.stringify({ stack, valid, rows: results }, null, 2);
}

/** JUnit's XML: a suite for each node, a case for each row. */
export function toJunit(results: readonly Result[], allowUnmeasured: boolean): string {
  const suites = groupByNode(results).map(([name, rows]) => {
    const cases = rows.map((row) => testCase(row, allowUnmeasured));
    return makeElement("testsuite", { name, tests: String(rows.length) }, cases);
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${makeElement("testsuites", {}, suites)}\n`;
}

function testCase(result: Result, allowUnmeasured: boolean): string {
  const { id, node, state, figure, threshold = "", reason = "", how } = result;
  const measured = `${figure ?? ""}; has to be: ${threshold}; measured by: ${how}`;
  const unmeasured = allowUnmeasured ? "skipped" : "error";
  const outcome = {
    held: makeElement("system-out", {}, [escapeXml(measured)]),
    "not held": makeElement("failure", { message: measured }),
    "not measured": makeElement(unmeasured, { message: `not measured: ${reason}` }),
    "not declared": makeElement("skipped", { message: "not declared" }),
  }[state];
  return makeElement("testcase", { name: id, classname: node }, [outcome]);
}

function makeElement(
  name: string,
  attributes: Readonly<Record<string, string>>,
  inside: readonly string[] = [],
): string {
  const pairs = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
  return `<${name}${pairs.join("")}>${inside.join("")}</${name}>`;
}

/** Line breaks become spaces; what XML 1.0 has no way to write is left out. */
const escapeXml = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- these are what is meant
  escapeMarkup(text.replace(/\s+/g, " ").replace(/[\u0000-\u001f]/g, ""));
