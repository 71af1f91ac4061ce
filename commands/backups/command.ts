/** `docker-node backups`: is everything backed up that could be lost? */
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
import type { Opened } from "../site/open";
import { isFresh, isKnown, json, table, type NodeCoverage } from "./report";
import { serverCommands } from "./server";
import { survey } from "./survey";

const SUMMARY = "Lists what could be lost, with its last good backup.";

const ABOUT = [
  "That is every volume, bind mount and image of every container, the configuration and the VM, each with the age its backup may have (RPO). A bind mount that no backup covers is listed, but has no RPO.",
  "Environment: PBS_RESTORE_TOKEN_ID, PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE, PBS_RESTORE_KEYFILE; see docs/how-to/restore.md.",
  "Status: 0 all is within its RPO, 1 something could not be asked, 3 something is beyond its RPO.",
];

interface Options extends GlobalOptions {
  readonly server?: boolean;
}

/** Adds the command. */
export function addBackups(program: Command, { outside, end }: Session): void {
  const example = "backups --stack prod proj-docker02";
  addCommand(program, { use: "backups [node...]", summary: SUMMARY, about: ABOUT, example })
    .option(
      "--server",
      "only print the commands that prepare the backup server for these nodes (docs/how-to/prepare-the-backup-server.md)",
    )
    .action(async (names: string[], _, command: Command) => {
      end(await listBackups(names, command.optsWithGlobals<Options>(), outside));
    });
}

async function listBackups(
  wanted: readonly string[],
  { stack = DEFAULT_STACK, json: forPrograms, server }: Options,
  { print, open }: Outside,
): Promise<Status> {
  const opened = await open(stack);
  const all = Object.keys(opened.settings.nodes);
  const unknown = wanted.find((name) => !all.includes(name));
  if (unknown) throw new UsageError(`node ${unknown}: can be ${all.join(", ")}`);
  const names = wanted.length > 0 ? wanted : all;
  if (server) {
    serverCommands(opened.settings, names).forEach(print);
    return STATUS.fine;
  }
  const nodes = await Promise.all(names.map((name) => coverageOf(opened, name)));
  print(opened.redact(forPrograms ? json(nodes) : table(nodes)));
  if (!isKnown(nodes)) return STATUS.failed;
  return isFresh(nodes) ? STATUS.fine : STATUS.finding;
}

/** One node that cannot be asked does not hide the others. */
async function coverageOf(opened: Opened, node: string): Promise<NodeCoverage> {
  try {
    return { node, rows: await survey(opened.site(node)) };
  } catch (error) {
    return { node, rows: [], error: error instanceof Error ? error.message : String(error) };
  }
}
