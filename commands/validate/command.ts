/** `docker-node validate`: measures whether the running node is what the specification says. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError, type Command } from "commander";
import {
  DEFAULT_STACK,
  STATUS,
  UsageError,
  addCommand,
  withInterrupts,
  type GlobalOptions,
  type Outside,
  type Session,
  type Status,
} from "../command";
import { planFor } from "../plan/command";
import { ROOT } from "../project";
import { chooseNodes } from "../site/nodes";
import type { Opened } from "../site/open";
import { isValid, toJson, toJunit, toTable } from "./report";
import type { Result, Row } from "./row";
import { ROWS } from "./rows";
import { tryRows } from "./run";
import { askOnce, subjectOf } from "./subject";

const SUMMARY = "Measures whether a running node does what its configuration promises.";

const ABOUT = [
  "Each row shows a figure, a threshold and how it was measured. The thresholds are in nodes.<node>.validation. Load and writes are limited in size and time, and everything that they need is removed afterwards. See docs/how-to/validate-a-node.md.",
  "Environment: the variables of `backups`, for the row Backups; PORTAINER_URL and PORTAINER_API_KEY, for Portainer, if not those of portainer.environment.",
  "Status: 0 every threshold is held, 1 the stack cannot be read, 3 a threshold is not held or a row was not measured.",
];

interface Options extends GlobalOptions {
  readonly only?: readonly string[];
  readonly allowUnmeasured?: boolean;
  readonly junit?: string;
  readonly watch?: number;
}

/** Adds the command. */
export function addValidate(program: Command, { outside, end }: Session): void {
  const example = "validate --stack prod proj-docker02 --only latency";
  addCommand(program, { use: "validate [node...]", summary: SUMMARY, about: ABOUT, example })
    .option(
      "--only <row>",
      `measure only this row; may be repeated: ${ROWS.map(({ id }) => id).join(", ")}`,
      (id: string, before: readonly string[] | undefined) => [...(before ?? []), id],
    )
    .option("--allow-unmeasured", "a row that cannot be measured is no finding")
    .option("--junit <file>", "also write JUnit's XML into a file")
    .option("--watch <seconds>", "measure again after so many seconds, until Ctrl-C", parseSeconds)
    .action(async (names: string[], _, command: Command) => {
      end(await validate(names, command.optsWithGlobals<Options>(), outside));
    });
}

function parseSeconds(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a whole number of seconds, at least 1.");
}

async function validate(
  wanted: readonly string[],
  options: Options,
  outside: Outside,
): Promise<Status> {
  const rows = chooseRows(options.only);
  const opened = await outside.open(options.stack ?? DEFAULT_STACK);
  const names = chooseNodes(wanted, opened);
  return withInterrupts(outside.warn, (signal) =>
    repeat(
      () => runRound(names, rows, opened, options, { outside, signal }),
      options.watch,
      signal,
    ),
  );
}

/**
 * One round, or rounds until Ctrl-C; the status of the last whole one.
 * @throws Error when not even one is whole
 */
export async function repeat(
  one: () => Promise<Status>,
  pause: number | undefined,
  signal: AbortSignal,
): Promise<Status> {
  let status = await one();
  while (pause !== undefined) {
    try {
      await sleep(pause * 1000, undefined, { signal });
      status = await one();
    } catch (error) {
      if (signal.aborted) return status;
      throw error;
    }
  }
  return status;
}

async function runRound(
  names: readonly string[],
  rows: readonly Row[],
  opened: Opened,
  options: Options,
  { outside, signal }: { outside: Outside; signal: AbortSignal },
): Promise<Status> {
  const { stack } = opened;
  const drift = askOnce(() => planFor({ stack, drift: true, cwd: ROOT }));
  const around = { opened, drift, environment: process.env };
  const results: Result[] = [];
  for (const name of names) {
    const node = opened.settings.nodes[name];
    if (!node) continue;
    const subject = subjectOf(name, node, around);
    results.push(...(await tryRows(subject, rows, signal, outside)));
  }
  return tell(results, opened, options, outside);
}

function tell(
  results: readonly Result[],
  opened: Opened,
  options: Options,
  outside: Outside,
): Status {
  const { allowUnmeasured = false, junit: file } = options;
  const text = options.json
    ? toJson(opened.stack, results, allowUnmeasured)
    : toTable(results, allowUnmeasured);
  outside.print(opened.redact(text));
  if (file !== undefined) writeFileSync(file, opened.redact(toJunit(results, allowUnmeasured)));
  return isValid(results, allowUnmeasured) ? STATUS.fine : STATUS.finding;
}

function chooseRows(only: readonly string[] = []): readonly Row[] {
  const ids = ROWS.map(({ id }) => id);
  const unknown = only.find((id) => !ids.includes(id));
  if (unknown !== undefined) throw new UsageError(`row ${unknown}; allowed: ${ids.join(", ")}`);
  return only.length > 0 ? ROWS.filter(({ id }) => only.includes(id)) : ROWS;
}
