/** `docker-node backups`: says whether everything that could be lost is backed up. */
import type { Command } from "commander";
import { messageOf } from "../../clients/failure";
import {
  DEFAULT_STACK,
  STATUS,
  addCommand,
  refuseJson,
  type GlobalOptions,
  type Outside,
  type Session,
  type Status,
} from "../command";
import { chooseNodes } from "../site/nodes";
import type { Opened } from "../site/open";
import { isFresh, isKnown, toJson, toTable, type NodeCoverage } from "./report";
import { serverCommands } from "./server";
import { survey } from "./survey";

const SUMMARY = "Lists everything that could be lost, with its last good backup.";

const ABOUT = [
  "It lists every volume, bind mount and image of every container, the configuration and the VM. Each has the age that its last backup may reach (RPO). A bind mount that no backup covers is listed without one.",
  "Environment: PBS_RESTORE_TOKEN_ID, PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE, PBS_RESTORE_KEYFILE; see docs/how-to/restore.md.",
  "Status: 0 every backup is within its RPO, 1 a node or server did not answer, 3 a backup is beyond its RPO, lacks files, or failed the server's verification.",
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
      "print the commands that prepare the backup server for these nodes, and do nothing else (docs/how-to/prepare-the-backup-server.md)",
    )
    .action(async (names: string[], _, command: Command) => {
      end(await listBackups(names, command.optsWithGlobals<Options>(), outside));
    });
}

async function listBackups(
  wanted: readonly string[],
  options: Options,
  { print, open }: Outside,
): Promise<Status> {
  const { stack = DEFAULT_STACK, json: forPrograms, server } = options;
  if (server) refuseJson(options, "--server");
  const opened = await open(stack);
  const names = chooseNodes(wanted, opened);
  if (server) {
    serverCommands(opened.settings, names).forEach(print);
    return STATUS.fine;
  }
  const nodes = await Promise.all(names.map((name) => surveyCoverage(opened, name)));
  print(opened.redact(forPrograms ? toJson(nodes) : toTable(nodes)));
  if (!isKnown(nodes)) return STATUS.failed;
  return isFresh(nodes) ? STATUS.fine : STATUS.finding;
}

/** A node that does not answer does not hide the others. */
async function surveyCoverage(opened: Opened, node: string): Promise<NodeCoverage> {
  try {
    return { node, rows: await survey(opened.site(node)) };
  } catch (error) {
    return { node, rows: [], error: messageOf(error) };
  }
}
