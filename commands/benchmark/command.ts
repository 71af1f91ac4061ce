/** `docker-node benchmark`: the checks of the CIS Docker Benchmark on running nodes, with the stack's waivers. */
import type { Command } from "commander";
import {
  DEFAULT_STACK,
  STATUS,
  addCommand,
  type GlobalOptions,
  type Outside,
  type Session,
  type Status,
} from "../command";
import { chooseNodes } from "../site/nodes";
import { findUnusedWaivers, type Result } from "./judge";
import { judgeNode } from "./node";
import { checkScript } from "./official";
import { toJson, toTable } from "./report";

const SUMMARY = "Judges running nodes by the checks of the CIS Docker Benchmark.";

const ABOUT = [
  "What a check finds is a warning, unless docker-node:waivers has a waiver of cis-docker-<id> for it. It only reads. See docs/how-to/benchmark-a-node.md.",
  "With --script, docker-bench-security judges instead of this program's own checks: it is copied to the node, run there, and removed.",
  "Status: 0 no warning is left, 1 a node or the stack cannot be read, 3 a warning is left or a waiver is not needed.",
];

interface Options extends GlobalOptions {
  readonly all?: boolean;
  readonly script?: string;
}

/** Adds the command. */
export function addBenchmark(program: Command, { outside, end }: Session): void {
  const example = "benchmark --stack prod proj-docker02";
  addCommand(program, { use: "benchmark [node...]", summary: SUMMARY, about: ABOUT, example })
    .option("--all", "also show what passed and what a person has to judge")
    .option("--script <file>", "docker-bench-security.sh, in its folder")
    .action(async (names: string[], _, command: Command) => {
      end(await benchmarkNodes(names, command.optsWithGlobals<Options>(), outside));
    });
}

async function benchmarkNodes(
  wanted: readonly string[],
  options: Options,
  outside: Outside,
): Promise<Status> {
  const script = options.script === undefined ? undefined : checkScript(options.script);
  const opened = await outside.open(options.stack ?? DEFAULT_STACK);
  const { nodes, waivers } = opened.settings;
  const results: Result[] = [];
  for (const name of chooseNodes(wanted, opened))
    results.push(...(await judgeNode(name, opened, script)));
  // The script judges some checks in other ways, so that it cannot tell whether a waiver is needed.
  const unused = script ? [] : findUnusedWaivers(results, waivers, Object.keys(nodes));
  const text = options.json
    ? toJson(opened.stack, results, unused)
    : toTable(results, unused, options.all ?? false);
  outside.print(opened.redact(text));
  const left = results.some(({ state }) => state === "warn");
  return left || unused.length > 0 ? STATUS.finding : STATUS.fine;
}
