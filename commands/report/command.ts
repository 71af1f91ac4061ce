/** `docker-node report`: a page for each node and one for the stack, for people who have no terminal. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import {
  DEFAULT_STACK,
  STATUS,
  UsageError,
  addCommand,
  withInterrupts,
  type GlobalOptions,
  type Outside,
  type Print,
  type Session,
  type Status,
} from "../command";
import { askAlerts } from "../../clients/prometheus";
import { planFor } from "../plan/command";
import { ROOT } from "../project";
import { chooseNodes } from "../site/nodes";
import type { Opened } from "../site/open";
import { askOnce } from "../validate/subject";
import { readDrill } from "./drill";
import { gather, type Gathering } from "./gather";
import type { NodeReport, StackReport } from "./model";
import { INDEX, fileOf, nodePage } from "./node-page";
import { stackPage } from "./stack-page";
import { isSound } from "./verdict";

const SUMMARY = "Writes the state of running nodes as pages for a browser.";

const ABOUT = [
  "Each page is one file that loads nothing. It shows the machine, Docker, networks, containers, security with waivers, backups, the last drill, alerts, validation and drift. A part that cannot be gathered says why. See docs/how-to/report.md.",
  "It measures what `validate` measures, and needs the same environment.",
  "Status: 0 everything is in order, 1 the stack cannot be read, 3 a part needs action or is not known.",
];

interface Options extends GlobalOptions {
  readonly out: string;
  readonly drill?: string;
  readonly prometheus?: string;
  readonly withoutLoad?: boolean;
}

/** Adds the command. */
export function addReport(program: Command, { outside, end }: Session): void {
  const example = "report --stack prod --out reports";
  addCommand(program, { use: "report [node...]", summary: SUMMARY, about: ABOUT, example })
    .option("--out <dir>", "directory of the pages", "reports")
    .option("--without-load", "measure nothing that loads the node")
    .option("--prometheus <url>", "server whose alerts are shown, https://host:port")
    .option("--drill <file>", "the last drill, as a drill wrote it with --json")
    .action(async (names: string[], _, command: Command) => {
      end(await report(names, command.optsWithGlobals<Options>(), outside));
    });
}

async function report(
  wanted: readonly string[],
  options: Options,
  outside: Outside,
): Promise<Status> {
  const drill = readDrill(options.drill);
  const alerts = alertsFrom(options.prometheus);
  const opened = await outside.open(options.stack ?? DEFAULT_STACK);
  const names = chooseNodes(wanted, opened);
  const now = new Date();
  return withInterrupts(outside.warn, async (signal) => {
    const load = !options.withoutLoad;
    const how = { ...{ drill, alerts, now, signal, load }, progress: outside };
    const nodes = await gatherAll(names, { ...how, around: aroundOf(opened) });
    const made = { stack: opened.stack, at: now.toISOString(), nodes };
    return publish(made, options, outside.print);
  });
}

/** Asks once, for all nodes. */
function alertsFrom(url?: string): Gathering["alerts"] {
  if (url === undefined) return undefined;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`--prometheus ${url}: no URL; wanted: https://host:port`);
  return askOnce(() => askAlerts(url));
}

function aroundOf(opened: Opened): Gathering["around"] {
  const { stack } = opened;
  const drift = askOnce(() => planFor({ stack, drift: true, cwd: ROOT }));
  return { opened, drift, environment: process.env };
}

async function gatherAll(names: readonly string[], how: Gathering): Promise<NodeReport[]> {
  const nodes: NodeReport[] = [];
  for (const name of names) {
    const one = await gather(name, how);
    if (one) nodes.push(one);
  }
  return nodes;
}

/** Writes all pages, and says where they are; the exit status. */
export function publish(
  report: StackReport,
  { out, json }: Pick<Options, "out" | "json">,
  print: Print,
): Status {
  const files = writePages(report, out);
  print(json ? JSON.stringify({ ...report, files }, null, 2) : files.join("\n"));
  return isSound(report.nodes) ? STATUS.fine : STATUS.finding;
}

/** Writes all pages; their paths, the stack's first. */
function writePages(report: StackReport, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const pages: [string, string][] = [
    [INDEX, stackPage(report)],
    ...report.nodes.map((node): [string, string] => [fileOf(node.name), nodePage(node, report)]),
  ];
  return pages.map(([name, text]) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  });
}
