/** `npm run plan`: what `up` would do, as a summary a person can approve. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { preview, type Previewed } from "../../clients/pulumi/preview";
import { parseEvents, planOf } from "./events";
import type { Diagnostic, Plan } from "./model";
import { FORMATS, render, type Format } from "./render";
import { risksOf } from "./risks";
import { SEVERITIES, type Severity } from "./rules/rule";

const USAGE = `usage: npm run plan -- [OPTION]...

  --stack NAME       the stack; default: the selected one
  --format FORMAT    terminal (default), markdown, json
  --write DIR        also write DIR/plan.md and DIR/plan.json
  --drift            what was changed by hand, instead of what the program would change
  --events FILE      show a recorded event log instead of asking the engine
  --fail-on LEVEL    end with status 3 when a risk is at least: info, caution, danger

Status: 0 shown, 1 the preview failed, 2 wrong usage, 3 see --fail-on.`;

const OPTIONS = {
  stack: { type: "string" },
  format: { type: "string", default: "terminal" },
  write: { type: "string" },
  drift: { type: "boolean", default: false },
  events: { type: "string" },
  "fail-on": { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

interface Options {
  readonly stack?: string;
  readonly format: Format;
  readonly write?: string;
  readonly drift: boolean;
  readonly events?: string;
  readonly failOn?: Severity;
}

/** Wrong usage: told in one line, with the usage below it. */
class UsageError extends Error {}

/** Runs the command; returns its exit status. */
export async function main(argv: string[], print = output, warn = complain): Promise<number> {
  try {
    const options = readOptions(argv);
    if (!options) {
      print(`${USAGE}\n`);
      return 0;
    }
    const plan = await planFor(options);
    print(render(plan, options.format, { colour: process.stdout.isTTY }));
    if (options.write) write(plan, options.write);
    return status(plan, options.failOn);
  } catch (error) {
    warn(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof UsageError) warn(`\n${USAGE}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function readOptions(argv: string[]): Options | undefined {
  const values = parsed(argv);
  if (values.help) return undefined;
  const { stack, write: folder, drift, events } = values;
  const format = oneOf("--format", FORMATS, values.format);
  const failOn = values["fail-on"] && oneOf("--fail-on", SEVERITIES, values["fail-on"]);
  return { stack, format, write: folder, drift, events, failOn: failOn || undefined };
}

function parsed(argv: string[]): ReturnType<typeof parse> {
  try {
    return parse(argv);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const parse = (args: string[]) => parseArgs({ args, options: OPTIONS }).values;

function oneOf<T extends string>(name: string, allowed: readonly T[], value: string): T {
  const found = allowed.find((one) => one === value);
  if (!found) throw new UsageError(`${name} ${value}: can be ${allowed.join(", ")}`);
  return found;
}

async function planFor({ stack, drift, events }: Options): Promise<Plan> {
  if (events) return planOf(parseEvents(readFileSync(events, "utf8")), stack);
  const found = await preview({ stack, drift });
  if (found.events.length === 0)
    throw new Error(found.complaint || `the engine ended with status ${found.status}`);
  const plan = planOf(found.events, stack);
  const failed = plan.failed || found.status !== 0;
  const said = plan.diagnostics.some(({ severity }) => severity === "error");
  // What keeps the program from starting at all is in no event.
  const extra = failed && !said && found.complaint !== "" ? [complaintOf(found)] : [];
  const kind = drift ? "drift" : plan.kind;
  return { ...plan, kind, failed, diagnostics: [...plan.diagnostics, ...extra] };
}

const complaintOf = ({ complaint }: Previewed): Diagnostic => ({
  severity: "error",
  message: complaint.replace(/^error: /, "").slice(-2000),
  resources: [],
});

function write(plan: Plan, folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "plan.md"), render(plan, "markdown"));
  writeFileSync(join(folder, "plan.json"), render(plan, "json"));
}

function status(plan: Plan, failOn?: Severity): number {
  if (plan.failed) return 1;
  const least = failOn ? SEVERITIES.indexOf(failOn) : Infinity;
  return risksOf(plan).some(({ severity }) => SEVERITIES.indexOf(severity) >= least) ? 3 : 0;
}

function output(text: string): void {
  process.stdout.write(text);
}

function complain(text: string): void {
  process.stderr.write(text);
}

if (require.main === module)
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
