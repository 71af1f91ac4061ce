/** `docker-node probe`: what another host of the segment reaches of a node, and what it must not. */
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import {
  DEFAULT_STACK,
  STATUS,
  UsageError,
  addCommand,
  type GlobalOptions,
  type Outside,
  type Session,
  type Status,
} from "../command";
import { chooseNodes } from "../site/nodes";
import type { Opened } from "../site/open";
import { isValid, toJson, toJunit, toTable } from "../validate/report";
import type { Result } from "../validate/row";
import { probeNode } from "./probe";
import { otherNode, thisMachine, type Looker } from "./sight";

const SUMMARY = "Looks at nodes from outside: which ports answer, and who answers there.";

const ABOUT = [
  "It tries TCP connections to each address of a node, over IPv4 and IPv6, and no UDP: ports of the firewall's rules, those that the node says it listens on, and well-known ones. What no rule lets this host reach has to be closed. The SSH host key and the agent's certificate have to be those of the stack's outputs. See docs/how-to/probe-a-node.md.",
  "Status: 0 all is as declared, 1 the stack cannot be read, 3 something is not, or could not be looked at.",
];

interface Options extends GlobalOptions {
  readonly all?: boolean;
  readonly allowUnmeasured?: boolean;
  readonly from?: string;
  readonly junit?: string;
}

/** Adds the command. */
export function addProbe(program: Command, { outside, end }: Session): void {
  const example = "probe --stack prod proj-docker02";
  addCommand(program, { use: "probe [node...]", summary: SUMMARY, about: ABOUT, example })
    .option("--from <node>", "look from another node of the stack; default: from this machine")
    .option("--all", "try every port, 1 to 65535, which takes some minutes")
    .option("--allow-unmeasured", "an address that cannot be looked at is no finding")
    .option("--junit <file>", "also write JUnit's XML into a file")
    .action(async (names: string[], _, command: Command) => {
      end(await probe(names, command.optsWithGlobals<Options>(), outside));
    });
}

async function probe(
  wanted: readonly string[],
  options: Options,
  outside: Outside,
): Promise<Status> {
  const opened = await outside.open(options.stack ?? DEFAULT_STACK);
  const looker = lookerOf(options.from, opened);
  const names = chooseNodes(wanted, opened).filter((name) => name !== options.from);
  if (names.length === 0) throw new UsageError(`--from ${looker.name}: no other node is left`);
  const results: Result[] = [];
  for (const name of names) {
    outside.warn(`${name}: looked at from ${looker.name}`);
    results.push(...(await probeNode({ name, opened, looker, all: options.all ?? false })));
  }
  return report(results, opened, options, outside);
}

function lookerOf(from: string | undefined, opened: Opened): Looker {
  if (from === undefined) return thisMachine;
  const [name = from] = chooseNodes([from], opened);
  return otherNode(name, opened.shell(name));
}

function report(
  results: readonly Result[],
  opened: Opened,
  { json: asJson, allowUnmeasured = false, junit: file }: Options,
  { print }: Outside,
): Status {
  const text = asJson
    ? toJson(opened.stack, results, allowUnmeasured)
    : toTable(results, allowUnmeasured);
  print(opened.redact(text));
  if (file !== undefined) writeFileSync(file, opened.redact(toJunit(results, allowUnmeasured)));
  return isValid(results, allowUnmeasured) ? STATUS.fine : STATUS.finding;
}
