/** A whole VM from its backup in Proxmox VE. */
import type { Guest } from "../../clients/proxmox-backups";
import type { VmBackup } from "../../clients/proxmox-storage";
import { timeOf } from "../../clients/snapshots";
import { poll } from "../../clients/poll";
import type { Site } from "../site/site";
import { durationText } from "../duration";
import { OBJECTIVES, type Recovery, type Step } from "./steps";

export interface VmOptions {
  /** `latest`, or the backup's time. */
  readonly wanted?: string;
  /** Back up the existing VM once more, then restore over it. */
  readonly force?: boolean;
  /** Seconds the restored machine may take until its Docker answers. */
  readonly bootSeconds?: number;
}

const BOOT_SECONDS = 1800;

/**
 * Plans it; nothing is touched.
 * @throws Error when the VM exists and may not be replaced, or there is no such backup
 */
export async function planVm(site: Site, options: VmOptions = {}): Promise<Recovery> {
  const { vmId } = site.node.machine;
  const storage = storageOf(site);
  const backups = await site.proxmox.backups(storage, vmId);
  const backup = chooseBackup(backups, storage, options.wanted);
  const guest = await site.proxmox.guest(vmId);
  if (guest) {
    requireReplaceable(site, guest, options.force ?? false);
    await requireRoom(site, backups, storage);
  }
  return {
    title: `VM ${vmId} (${site.name})`,
    snapshot: backup.volume,
    takenAt: backup.takenAt,
    objectives: OBJECTIVES.vm,
    steps: [
      ...(guest ? replaceSteps(site, guest, storage, backup) : [restoreStep(site, backup, false)]),
      startStep(site),
      waitStep(site, options.bootSeconds ?? BOOT_SECONDS),
    ],
    afterwards: [
      "the program may know more than the backup: see what differs with npx docker-node plan --drift, then pulumi up --refresh",
    ],
  };
}

function storageOf({ name, backups }: Site): string {
  if (backups.vm) return backups.vm.storage;
  throw new Error(`nodes.${name}.backups.vm: missing, so it is not known where its backups are`);
}

function chooseBackup(backups: readonly VmBackup[], storage: string, wanted = "latest"): VmBackup {
  const found = backups.find(({ takenAt }) => wanted === "latest" || timeOf(takenAt) === wanted);
  if (found) return found;
  const times = backups.map(({ takenAt }) => timeOf(takenAt)).join(", ");
  throw new Error(
    times === ""
      ? `storage ${storage} has no backup of this VM`
      : `--snapshot ${wanted}; allowed: latest, ${times}`,
  );
}

function requireReplaceable({ name, node }: Site, guest: Guest, force: boolean): void {
  const { vmId, proxmoxNode } = node.machine;
  if (guest.lock)
    throw new Error(
      `VM ${vmId} is locked (${guest.lock}): a task of Proxmox VE is at it, or failed (then: qm unlock ${vmId})`,
    );
  if (guest.node !== proxmoxNode)
    throw new Error(
      `VM ${vmId} is on ${guest.node}, and machine.proxmoxNode is ${proxmoxNode}: set ${guest.node} there, or remove or migrate the VM`,
    );
  if (!force)
    throw new Error(
      `VM ${vmId} exists. Restore what is lost in it (volume, container, platform), or replace it whole with --force: ` +
        "it is then shut down, backed up once more, and its disks are overwritten",
    );
  if (guest.protection)
    throw new Error(
      `VM ${vmId} is protected, and Proxmox VE refuses to restore over it: set nodes.${name}.machine.protect to false ` +
        `and run pulumi up, or on ${proxmoxNode}: qm set ${vmId} --protection 0`,
    );
}

/** Checks that one more backup can be protected. Proxmox VE would refuse that only after the VM is off. */
async function requireRoom(
  { proxmox, node }: Site,
  backups: readonly VmBackup[],
  storage: string,
): Promise<void> {
  const kept = backups.filter((backup) => backup.protected);
  if (kept.length === 0 || kept.length < (await proxmox.protectedLimit(storage))) return;
  const { vmId, proxmoxNode } = node.machine;
  const oldest = kept.at(-1)?.volume ?? "";
  throw new Error(
    `VM ${vmId} has ${kept.length} protected backups in ${storage}, as many as it may have (max-protected-backups of the ` +
      `storage), and needs one more before it is replaced. Let one go that is not needed any more, on ${proxmoxNode}: ` +
      `pvesh set /nodes/${proxmoxNode}/storage/${storage}/content/${oldest} --protected 0`,
  );
}

/** Backs up the existing VM before it is overwritten. It is shut down first, so nothing is written after the backup. */
function replaceSteps(site: Site, guest: Guest, storage: string, backup: VmBackup): Step[] {
  const { proxmox, name, node } = site;
  const { vmId } = node.machine;
  let safety = "";
  const off: Step = {
    title: `shut VM ${vmId} down`,
    command: `qm shutdown ${vmId} --timeout 180 --forceStop 1`,
    run: () => proxmox.shutDown(vmId),
    undo: { title: `start VM ${vmId}`, run: () => proxmox.start(vmId) },
  };
  const keep: Step = {
    title: `back up VM ${vmId} as it is to ${storage}, protected from pruning`,
    command: `vzdump ${vmId} --storage ${storage} --mode stop --remove 0 --protected 1`,
    run: async () => {
      const warnings = await proxmox.backUp(vmId, storage, `${name} before it was replaced`);
      safety = (await proxmox.backups(storage, vmId))[0]?.volume ?? "";
      return [safety, warnings].filter(Boolean).join(": ");
    },
  };
  const undo = {
    title: `restore VM ${vmId} from the backup just taken`,
    run: () => proxmox.restore(vmId, safety, true),
  };
  return [...(guest.running ? [off] : []), keep, { ...restoreStep(site, backup, true), undo }];
}

function restoreStep({ node, proxmox }: Site, { volume }: VmBackup, force: boolean): Step {
  const { vmId } = node.machine;
  const left = `if Proxmox VE left a part of VM ${vmId}, remove it before the next try: qm destroy ${vmId}`;
  return {
    title: `restore VM ${vmId} from ${volume}${force ? ", over the one there is" : ""}`,
    command: `qmrestore ${volume} ${vmId}${force ? " --force 1" : ""}`,
    run: () =>
      proxmox.restore(vmId, volume, force).catch((error: unknown) => {
        throw force ? error : new Error(`${(error as Error).message}; ${left}`);
      }),
    commits: true,
  };
}

function startStep({ node, proxmox }: Site): Step {
  const { vmId } = node.machine;
  return {
    title: `start VM ${vmId}`,
    command: `qm start ${vmId}`,
    run: () => proxmox.start(vmId),
  };
}

/** The host key came back with the VM, so the pinned key still holds. */
function waitStep({ name, shell, now }: Site, seconds: number): Step {
  return {
    title: `wait until ${name} answers by ssh and its Docker runs, ${durationText(seconds)} at most`,
    run: async () => {
      let reason: unknown;
      const patience = { everyMs: 5_000, limitMs: seconds * 1000, now };
      const version = await poll(patience, () =>
        shell.script("recovery/docker", {}).catch((error: unknown) => {
          reason = error;
          return undefined;
        }),
      );
      if (version === undefined) throw reason;
      return `Docker ${version}`;
    },
  };
}
