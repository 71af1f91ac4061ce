/** `npm run restore`: brings back a container, a volume, a node's platform, or a whole VM. */
import { parseArgs } from "node:util";
import { UsageError, finish, holdInterrupts, open, parsed, print } from "../command";
import { planContainer } from "./container";
import { withScratch } from "../site/image";
import { planVm } from "./machine";
import type { Opened } from "../site/open";
import { planPlatform } from "./platform";
import type { Site } from "../site/site";
import {
  OBJECTIVES,
  describe,
  perform,
  verdict,
  type Kind,
  type Print,
  type Recovery,
} from "./steps";
import { planVolume } from "./volume";

const USAGE = `usage: npm run restore -- container NODE NAME [OPTION]...
       npm run restore -- volume    NODE NAME [OPTION]...
       npm run restore -- platform  NODE [OPTION]...
       npm run restore -- vm        NODE [OPTION]...

  --yes              do it; without, what would be done is shown and nothing is touched
  --snapshot TIME    which backup, such as 2026-01-31T02:30:00Z (latest)
  --force            container: replace the one that exists, which is kept under another name
                     vm: replace the VM that exists, which is backed up once more before
  --from-definition  container: from its backed-up definition even if the program declares it
  --stack NAME       the stack of the node (prod); lab is the running lab

Environment: PBS_RESTORE_TOKEN_ID, PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE, PBS_RESTORE_KEYFILE, and
optionally PROXMOX_RESTORE_TOKEN; see docs/how-to/restore.md.

Status: 0 done, or shown; 1 it failed, and the last lines say what state things are in; 2 wrong usage.`;

const OPTIONS = {
  stack: { type: "string", default: "prod" },
  snapshot: { type: "string", default: "latest" },
  yes: { type: "boolean", default: false },
  force: { type: "boolean", default: false },
  "from-definition": { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** What is to come back. */
export interface Request {
  readonly kind: Kind;
  readonly node: string;
  /** Name of the container or volume. */
  readonly what: string;
  readonly snapshot: string;
  readonly yes: boolean;
  readonly force: boolean;
  readonly fromDefinition: boolean;
  readonly stack: string;
}

/** Runs one command line; the exit status. */
export async function main(
  args: string[],
  show: Print = print,
  opener: (stack: string) => Promise<Opened> = open,
): Promise<number> {
  const request = readRequest(args);
  if (!request) {
    show(USAGE);
    return 0;
  }
  const opened = await opener(request.stack);
  const site = opened.site(request.node);
  const say: Print = (line) => {
    show(opened.redact(line));
  };
  return withScratch(async (scratch) => {
    const since = site.now();
    const recovery = await planFor(request, site, scratch);
    say(describe(recovery, site.now()));
    if (request.yes) return act(recovery, say, since, site.now);
    say("\nNothing was touched. To do it, repeat the command with --yes.");
    return 0;
  });
}

async function act(recovery: Recovery, say: Print, since: Date, now: () => Date): Promise<number> {
  say("");
  const { signal, release } = holdInterrupts();
  try {
    const outcome = await perform(recovery, say, { now, since, signal });
    say(verdict(recovery, outcome));
    return outcome.ok ? 0 : 1;
  } finally {
    release();
  }
}

/** Plans what a command line asks for. */
export function planFor(
  { kind, what, snapshot: wanted, force, fromDefinition }: Omit<Request, "stack" | "yes">,
  site: Site,
  scratch: string,
): Promise<Recovery> {
  switch (kind) {
    case "container":
      return planContainer(site, what, { wanted, force, fromDefinition });
    case "volume":
      return planVolume(site, what, wanted);
    case "platform":
      return planPlatform(site, scratch, wanted);
    case "vm":
      return planVm(site, { wanted, force });
  }
}

/** Undefined when only help was asked for. */
function readRequest(args: string[]): Request | undefined {
  const { values, positionals } = parsed(() =>
    parseArgs({ args, options: OPTIONS, allowPositionals: true }),
  );
  if (values.help) return undefined;
  const { stack, snapshot, yes, force, "from-definition": fromDefinition } = values;
  return { ...subject(positionals), stack, snapshot, yes, force, fromDefinition };
}

function subject(words: string[]): Pick<Request, "kind" | "node" | "what"> {
  const [first = "", node = "", what = "", ...rest] = words;
  const kind = (Object.keys(OBJECTIVES) as Kind[]).find((one) => one === first);
  if (!kind) throw new UsageError(`"${first}": can be ${Object.keys(OBJECTIVES).join(", ")}`);
  if (node === "") throw new UsageError(`${kind}: which node?`);
  const named = kind === "container" || kind === "volume";
  if (named === (what === "") || rest.length > 0)
    throw new UsageError(`${kind}: ${named ? "one NAME" : "nothing"} after the node`);
  return { kind, node, what };
}

if (require.main === module) finish(main(process.argv.slice(2)), USAGE);
