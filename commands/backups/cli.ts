/** `npm run backups`: is everything backed up that could be lost? */
import { parseArgs } from "node:util";
import { UsageError, finish, open, parsed, print } from "../command";
import type { Opened } from "../site/open";
import { isFresh, json, table, type NodeCoverage } from "./report";
import { serverCommands } from "./server";
import { survey } from "./survey";

const USAGE = `usage: npm run backups -- [OPTION]... [NODE]...

  --stack NAME   the stack to look at (prod); lab is the running lab
  --json         for programs
  --server       only print the commands that prepare the backup server for these nodes (docs/how-to/prepare-the-backup-server.md)

Lists every volume, bind mount and image of every container, the configuration and the VM, each with its
last good snapshot and the age that snapshot may have (RPO).

Environment: PBS_RESTORE_TOKEN_ID, PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE, PBS_RESTORE_KEYFILE; see
docs/how-to/restore.md.

Status: 0 all is within its RPO, 1 something is not or could not be asked, 2 wrong usage. A bind mount
that no backup covers is listed, but has no RPO.`;

const OPTIONS = {
  stack: { type: "string", default: "prod" },
  json: { type: "boolean", default: false },
  server: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Runs one command line; the exit status. */
export async function main(
  args: string[],
  show = print,
  opener: (stack: string) => Promise<Opened> = open,
): Promise<number> {
  const { values, positionals } = parsed(() =>
    parseArgs({ args, options: OPTIONS, allowPositionals: true }),
  );
  if (values.help) {
    show(USAGE);
    return 0;
  }
  const opened = await opener(values.stack);
  const all = Object.keys(opened.settings.nodes);
  const unknown = positionals.find((name) => !all.includes(name));
  if (unknown) throw new UsageError(`node ${unknown}: can be ${all.join(", ")}`);
  const names = positionals.length > 0 ? positionals : all;
  if (values.server) {
    serverCommands(opened.settings, names).forEach(show);
    return 0;
  }
  const nodes = await Promise.all(names.map((name) => coverageOf(opened, name)));
  show(opened.redact(values.json ? json(nodes) : table(nodes)));
  return isFresh(nodes) ? 0 : 1;
}

/** One node that cannot be asked does not hide the others. */
async function coverageOf(opened: Opened, node: string): Promise<NodeCoverage> {
  try {
    return { node, rows: await survey(opened.site(node)) };
  } catch (error) {
    return { node, rows: [], error: error instanceof Error ? error.message : String(error) };
  }
}

if (require.main === module) finish(main(process.argv.slice(2)), USAGE);
