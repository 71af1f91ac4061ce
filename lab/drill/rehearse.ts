/** Rehearses a recovery in a lab: makes data, backs it up, destroys it, restores it and compares it. */
import type { Print } from "../../commands/command";
import { durationText } from "../../commands/duration";
import { tableRows } from "../../commands/table";
import { planContainer } from "../../commands/restore/container";
import { withScratch } from "../../clients/scratch";
import { BACKUP_CONTAINER } from "../../config/backups";
import { AGENT_CONTAINER } from "../../config/portainer";
import { planVm } from "../../commands/restore/machine";
import { planPlatform } from "../../commands/restore/platform";
import type { Site } from "../../commands/site/site";
import { perform } from "../../commands/restore/perform";
import { OBJECTIVES, type Kind, type Recovery } from "../../commands/restore/steps";
import { planVolume } from "../../commands/restore/volume";

/** Where a rehearsal takes place. */
export interface Stage {
  readonly site: Site;
  /** A small image with a shell, from the lab's registry. */
  readonly image: string;
  readonly print: Print;
}

/** The result of a rehearsal: measured and required times, in seconds. */
export interface Rehearsal {
  readonly kind: Kind;
  /** Whether the content is the same, in time, and the loss within its limit. */
  readonly ok: boolean;
  readonly rto: { readonly measured: number; readonly required: number };
  readonly rpo: { readonly measured: number; readonly required: number };
  /** Digest of the content before its destruction, and after its recovery. */
  readonly checksum: { readonly before: string; readonly after: string };
  readonly error?: string;
}

/** The kinds, from the smallest loss to the greatest. */
export const KINDS: readonly Kind[] = ["volume", "container", "platform", "vm"];

/** Names of the volume and the containers on the node, see node/recovery/rehearsal.sh. The last one shares the other's network. */
const VOLUME = "drill-data";
const CONTAINERS = ["drill-web", "drill-sharer"] as const;

/** Rehearses one kind of recovery. The result holds any error. */
export async function rehearse(kind: Kind, stage: Stage): Promise<Rehearsal> {
  const act = (action: string): Promise<string> => runOnNode(stage, action, kind);
  stage.print(`--- ${kind}: making and backing up what will be lost`);
  await act("make");
  const before = await act("state");
  await backUp(kind, stage);
  stage.print(`--- ${kind}: destroying it`);
  await (kind === "vm" ? destroyVm(stage.site) : act("destroy"));
  const began = Date.now();
  const { age, error } = await recover(kind, stage);
  const measured = (Date.now() - began) / 1000;
  const after = error === undefined ? await act("state") : "";
  const { rto, rpo } = OBJECTIVES[kind];
  return {
    kind,
    ok: error === undefined && before === after && measured < rto && age < rpo,
    rto: { measured, required: rto },
    rpo: { measured: age, required: rpo },
    checksum: { before, after },
    ...(error === undefined ? {} : { error }),
  };
}

const runOnNode = ({ site, image }: Stage, action: string, kind: Kind): Promise<string> =>
  site.shell.script("recovery/rehearsal", {
    REHEARSAL: "lab",
    ACTION: action,
    KIND: kind,
    IMAGE: image,
  });

/** Runs the node's own backups as its schedule does, or the cluster's backup of the VM. */
export async function backUp(kind: Kind, { site }: Pick<Stage, "site">): Promise<void> {
  if (kind === "vm") {
    const storage = site.backups.vm?.storage ?? "";
    await site.proxmox.backUp(site.node.machine.vmId, storage, "drill", "snapshot");
    return;
  }
  const sections = {
    volume: ["volumes"],
    container: ["volumes", "configuration", "images"],
    platform: ["configuration"],
  }[kind];
  for (const section of sections) await runBackup(site, section);
}

/** Runs the backup container once, regardless of its schedule. `settings` are its variables, such as `ATTEMPTS=2`. */
export async function runBackup(
  { shell }: Pick<Site, "shell">,
  section: string,
  settings: readonly string[] = [],
): Promise<void> {
  const nothing = { program: "true", args: [] };
  const environment = settings.flatMap((setting) => ["--env", setting]);
  const command = ["docker", "exec", ...environment, BACKUP_CONTAINER, "backup", section];
  await shell.feed(command, nothing);
}

async function destroyVm({ proxmox, node }: Site): Promise<void> {
  await proxmox.shutDown(node.machine.vmId);
  await proxmox.remove(node.machine.vmId);
}

/** Plans and performs a recovery. The time includes the planning, because a person waits for it. */
async function recover(
  kind: Kind,
  { site, print }: Stage,
): Promise<{ age: number; error?: string }> {
  let age = 0;
  return withScratch("drill", async (scratch) => {
    for (const plan of plansFor(kind, site, scratch)) {
      const recovery = await plan().catch((error: unknown) => error as Error);
      if (recovery instanceof Error) return { age, error: recovery.message };
      print(`--- ${recovery.title}`);
      const outcome = await perform(recovery, print);
      age = Math.max(age, outcome.age);
      if (!outcome.ok) return { age, error: outcome.error };
    }
    return { age };
  });
}

/** Plans of a kind. Of the containers one is declared in the program, the others were made by hand. */
function plansFor(kind: Kind, site: Site, scratch: string): (() => Promise<Recovery>)[] {
  const agent = site.node.portainer ? [() => planContainer(site, AGENT_CONTAINER)] : [];
  return {
    volume: [() => planVolume(site, VOLUME)],
    container: [...agent, ...CONTAINERS.map((name) => () => planContainer(site, name))],
    platform: [() => planPlatform(site, scratch)],
    vm: [() => planVm(site)],
  }[kind];
}

/** Lists the measured and required times, one line for each kind. */
export function summarize(rehearsals: readonly Rehearsal[]): string {
  const compareTo = ({ measured, required }: Rehearsal["rto"]): string[] => [
    durationText(measured),
    `of ${durationText(required)}`,
  ];
  const cellsOf = ({ kind, ok, rto, rpo, checksum, error }: Rehearsal): string[] => {
    const equal = checksum.before === checksum.after ? "equal" : "DIFFERENT";
    const content =
      error === undefined ? `content ${equal}` : `FAILED: ${error.split("\n")[0] ?? ""}`;
    const times = ["RTO", ...compareTo(rto), "RPO", ...compareTo(rpo)];
    return [`${ok ? "✓" : "✗"} ${kind}`, ...times, content];
  };
  return tableRows(rehearsals.map(cellsOf)).join("\n");
}
