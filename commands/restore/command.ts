/** `docker-node restore`: brings back a container, a volume, a node's platform, or a whole VM. */
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
import { withScratch } from "../../clients/scratch";
import type { Site } from "../site/site";
import { planContainer } from "./container";
import { planVm } from "./machine";
import { planPlatform } from "./platform";
import { describe, toJson, verdictOn } from "./describe";
import { perform } from "./perform";
import { OBJECTIVES, type Kind, type Outcome, type Recovery } from "./steps";
import { planVolume } from "./volume";

const SUMMARY = "Brings back what was lost: a container, a volume, a platform, a VM.";

const ABOUT = [
  "Without --yes it shows the steps and touches nothing.",
  "Environment: PBS_RESTORE_TOKEN_ID, PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE, PBS_RESTORE_KEYFILE, and optionally PROXMOX_RESTORE_TOKEN; see docs/how-to/restore.md.",
  "Status: 0 done, or shown; 1 a step failed, and the last lines say in which state it left the node.",
];

interface Options extends GlobalOptions {
  readonly snapshot: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly fromDefinition?: boolean;
  readonly emptyVolumes?: boolean;
}

/** What is to come back. */
interface Request {
  readonly kind: Kind;
  readonly node: string;
  /** Name of the container or volume. */
  readonly what: string;
  readonly snapshot: string;
  readonly force: boolean;
  readonly fromDefinition: boolean;
  readonly emptyVolumes: boolean;
}

/** Adds the command, with a subcommand for each kind of thing that can be lost. */
export function addRestore(program: Command, session: Session): void {
  const example = "restore volume proj-docker02 research-data";
  const restore = addCommand(program, { use: "restore", summary: SUMMARY, about: ABOUT, example })
    .usage("[options] <container|volume|platform|vm> <node> [name]")
    .argument("[kind]")
    .action((kind = "") => {
      throw new UsageError(`"${String(kind)}"; allowed: ${Object.keys(OBJECTIVES).join(", ")}`);
    });
  addContainer(restore, session);
  addKind(
    restore,
    session,
    "volume",
    "Puts the content of a volume back. The present content is kept in another volume.",
  );
  addKind(restore, session, "platform", "Puts Docker and its configuration onto an empty machine.");
  addKind(restore, session, "vm", "Restores the whole VM from its backup in Proxmox VE.").option(
    "--force",
    "back up the existing VM once more, then replace it",
  );
  // What follows a kind that is none; set last, since the commands above would inherit it.
  restore.allowExcessArguments();
}

function addContainer(restore: Command, session: Session): void {
  addKind(restore, session, "container", "Starts a container again, its missing volumes first.")
    .option("--force", "replace the existing container, and keep it under another name")
    .option("--from-definition", "use its backed-up definition even if the program declares it")
    .option("--empty-volumes", "start it even if volumes are gone that no backup brings back");
}

const EXAMPLES = { container: "web", volume: "research-data" };

function addKind(parent: Command, { outside, end }: Session, kind: Kind, summary: string): Command {
  const named = kind === "container" || kind === "volume";
  const use = `${kind} <node>${named ? " <name>" : ""}`;
  const example = `restore ${kind} proj-docker02${named ? ` ${EXAMPLES[kind]}` : ""} --yes`;
  return addCommand(parent, { use, summary, about: [], example })
    .option("--yes", "do it")
    .option("--snapshot <time>", "which backup, such as 2026-01-31T02:30:00Z", "latest")
    .action(async (node: string, ...more: unknown[]) => {
      const command = more.at(-1) as Command;
      const options = command.optsWithGlobals<Options>();
      const { snapshot, force = false, fromDefinition = false, emptyVolumes = false } = options;
      const how = { snapshot, force, fromDefinition, emptyVolumes };
      const what = named ? String(more[0]) : "";
      end(await restore({ kind, node, what, ...how }, options, outside));
    });
}

async function restore(
  request: Request,
  { stack = DEFAULT_STACK, yes = false, json: forPrograms = false }: Options,
  { print, warn, open }: Outside,
): Promise<Status> {
  const opened = await open(stack);
  const site = opened.site(request.node);
  const say: Print = (text) => {
    (forPrograms ? warn : print)(opened.redact(text));
  };
  return withScratch("restore", async (scratch) => {
    const since = site.now();
    const recovery = await planFor(request, site, scratch);
    say(describe(recovery, site.now()));
    if (!yes) say("\nNothing was touched. To do it, repeat the command with --yes.");
    const outcome = yes ? await act(recovery, say, { since, now: site.now }, warn) : undefined;
    if (forPrograms) print(opened.redact(toJson(recovery, outcome)));
    return outcome?.ok === false ? STATUS.failed : STATUS.fine;
  });
}

async function act(
  recovery: Recovery,
  say: Print,
  clock: { since: Date; now: () => Date },
  warn: Print,
): Promise<Outcome> {
  say("");
  return withInterrupts(warn, async (signal) => {
    const outcome = await perform(recovery, say, { ...clock, signal });
    say(verdictOn(recovery, outcome));
    return outcome;
  });
}

function planFor(
  { kind, what, snapshot: wanted, force, ...how }: Omit<Request, "node">,
  site: Site,
  scratch: string,
): Promise<Recovery> {
  switch (kind) {
    case "container":
      return planContainer(site, what, { wanted, force, ...how });
    case "volume":
      return planVolume(site, what, wanted);
    case "platform":
      return planPlatform(site, scratch, wanted);
    case "vm":
      return planVm(site, { wanted, force });
  }
}
