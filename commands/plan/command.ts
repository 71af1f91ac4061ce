/** `docker-node plan`: what `up` would do, as a summary a person can approve. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import { messageOf } from "../../clients/failure";
import { parseEvents, preview, type Previewed } from "../../clients/pulumi/preview";
import { STATUS, addCommand, refuseJson, type GlobalOptions, type Outside } from "../command";
import type { Session, Status } from "../command";
import { planOf } from "./events";
import { lookAtAdopted, lookAtNodes } from "./looks";
import type { Diagnostic, NodeLook, Plan } from "./model";
import { FORMATS, render, type Format } from "./render";
import { risksOf } from "./risks";
import { SEVERITIES, type Severity } from "./rules/rule";

const SUMMARY = "Shows what the next up would change, and which changes are dangerous.";

const ABOUT = [
  "Status: 0 shown, 1 the preview failed, 3 a risk is at least as grave as --fail-on, or --drift could not look at a node, or at a part of it.",
];

/** What to plan, and how to show it. */
export interface PlanOptions extends GlobalOptions {
  readonly format?: Format;
  readonly write?: string;
  readonly drift?: boolean;
  readonly events?: string;
  readonly policyPack?: string;
  readonly failOn?: Severity;
  /** Directory of the Pulumi project; default: the current one. */
  readonly cwd?: string;
}

/** Adds the command. */
export function addPlan(program: Command, { outside, end }: Session): void {
  const formats = new Option("--format <format>", "how to show it; default: terminal");
  const limit = new Option("--fail-on <level>", "end with status 3 when a risk is at least that");
  const example = "plan --stack prod --fail-on danger";
  addCommand(program, { use: "plan", summary: SUMMARY, about: ABOUT, example })
    .addOption(formats.choices(FORMATS))
    .option("--write <dir>", "also write plan.md and plan.json into a directory")
    .option(
      "--drift",
      "what was changed by hand, on the nodes too, instead of what the program would change",
    )
    .option("--events <file>", "show a recorded event log instead of asking pulumi")
    .option(
      "--policy-pack <dir>",
      "put the preview to a policy pack, such as policies; --drift previews nothing",
    )
    .addOption(limit.choices(SEVERITIES))
    .action(async (_, command: Command) => {
      end(await showPlan(command.optsWithGlobals<PlanOptions>(), outside));
    });
}

/** Plans and shows it; the exit status. */
export async function showPlan(
  options: PlanOptions,
  { print, colour }: Pick<Outside, "print" | "colour">,
): Promise<Status> {
  if (options.format && options.format !== "json")
    refuseJson(options, `--format ${options.format}`);
  const plan = await planFor(options);
  const format = options.format ?? (options.json ? "json" : "terminal");
  print(render(plan, format, { colour }).trimEnd());
  if (options.write) write(plan, options.write);
  return statusOf(plan, options.failOn);
}

/** The plan itself. @throws Error when pulumi says nothing */
export async function planFor(options: PlanOptions): Promise<Plan> {
  const { stack, drift = false, events, policyPack, cwd } = options;
  if (events) return planOf(parseEvents(readFileSync(events, "utf8")), stack);
  // Relative to where it was typed, wherever pulumi's project is.
  const pack = policyPack && resolve(policyPack);
  const found = await preview({ stack, drift, policyPack: pack, cwd });
  if (found.events.length === 0)
    throw new Error(found.complaint || `pulumi ended with status ${found.status}`);
  const plan = planOf(found.events, stack);
  const failed = plan.failed || found.status !== 0;
  const said = plan.diagnostics.some(({ severity }) => severity === "error");
  // An error that keeps the program from starting is in no event.
  const extra = failed && !said && found.complaint !== "" ? [complaintOf(found)] : [];
  const seen = { ...plan, failed, diagnostics: [...plan.diagnostics, ...extra] };
  return drift
    ? addLooks({ ...seen, kind: "drift" }, ({ stack: named }) => lookAtNodes(named, cwd))
    : addLooks(seen, (made) => lookAtAdopted(made, cwd));
}

/** Adds what was found on the nodes, even if Pulumi failed: a node that is down must not hide the others. */
async function addLooks(
  plan: Plan,
  look: (plan: Plan) => Promise<readonly NodeLook[] | undefined>,
): Promise<Plan> {
  if (plan.stack === "") return plan;
  try {
    const looks = await look(plan);
    return looks ? { ...plan, looks } : plan;
  } catch (error) {
    const said = diagnosticOf(messageOf(error));
    return { ...plan, failed: true, diagnostics: [...plan.diagnostics, said] };
  }
}

const complaintOf = ({ complaint }: Previewed): Diagnostic =>
  diagnosticOf(complaint.replace(/^error: /, "").slice(-2000));

const diagnosticOf = (message: string): Diagnostic => ({
  severity: "error",
  message,
  resources: [],
});

function write(plan: Plan, folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "plan.md"), render(plan, "markdown"));
  writeFileSync(join(folder, "plan.json"), render(plan, "json"));
}

function statusOf(plan: Plan, failOn?: Severity): Status {
  if (plan.failed) return STATUS.failed;
  // Who asks what was changed by hand must not take a node that nobody has seen for an unchanged one.
  if (plan.kind === "drift" && plan.looks?.some(({ problems }) => problems.length > 0))
    return STATUS.finding;
  const least = failOn ? SEVERITIES.indexOf(failOn) : Infinity;
  const grave = risksOf(plan).some(({ severity }) => SEVERITIES.indexOf(severity) >= least);
  return grave ? STATUS.finding : STATUS.fine;
}
