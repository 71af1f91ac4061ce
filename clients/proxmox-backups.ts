/** Virtual machines and their backups in Proxmox VE, as recoveries need them. */
import { poll } from "./poll";
import { ask, call, ClusterError, type Access } from "./proxmox";
import { guestConfig, task } from "./proxmox-answers";
import { listGuests } from "./proxmox-guests";
import { listBackups, readProtectedLimit, type VmBackup } from "./proxmox-storage";

/** A VM in the cluster. */
export interface Guest {
  readonly node: string;
  readonly running: boolean;
  readonly protection: boolean;
  /** The task that locks it, such as `create`. */
  readonly lock?: string;
}

/** Warnings of a task that is done, and where to read them; undefined if there are none. */
export type Warnings = string | undefined;

/** What recoveries ask of the cluster. An order returns when its task has ended, with the task's warnings. */
export interface Proxmox {
  /** Backups of a VM in a storage, the newest first. */
  backups(storage: string, vmId: number): Promise<VmBackup[]>;
  /** How many backups of one VM may be protected in a storage; Infinity for any number. */
  protectedLimit(storage: string): Promise<number>;
  /** The VM, on whichever node it is. */
  guest(vmId: number): Promise<Guest | undefined>;
  /** Backs a VM up, and keeps that backup from being pruned. Mode `snapshot` lets it run on. */
  backUp(
    vmId: number,
    storage: string,
    note: string,
    mode?: "stop" | "snapshot",
  ): Promise<Warnings>;
  /** Makes the VM from a backup. It overwrites an existing VM only if told to. */
  restore(vmId: number, volume: string, force: boolean): Promise<Warnings>;
  start(vmId: number): Promise<Warnings>;
  /** Shuts the VM down, and switches it off if that takes more than three minutes. */
  shutDown(vmId: number): Promise<Warnings>;
  remove(vmId: number): Promise<Warnings>;
}

const TASK_LIMIT_MS = 6 * 60 * 60_000;

/**
 * The cluster, and the node VMs are restored on.
 *
 * @param pollMs milliseconds between two looks at a task
 */
export function openProxmox(access: Access, node: string, pollMs = 1_000): Proxmox {
  const get = (path: string): Promise<unknown> => call(access, "GET", path);
  const order: Order = async (method, path, parameters = {}) => {
    const upid = String(await call(access, method, `/nodes/${node}${path}`, parameters));
    const warnings = await waitForTask(get, upid, pollMs);
    await waitForManager(get, upid, pollMs);
    return warnings;
  };
  return {
    backups: (storage, vmId) => listBackups(get, node, storage, vmId),
    protectedLimit: (storage) => readProtectedLimit(get, storage),
    guest: (vmId) => findGuest(get, vmId),
    ...ordersFor(order),
  };
}

type Order = (
  method: "POST" | "DELETE",
  path: string,
  parameters?: Readonly<Record<string, string | number>>,
) => Promise<Warnings>;

const ordersFor = (order: Order): Omit<Proxmox, "backups" | "protectedLimit" | "guest"> => ({
  backUp: (vmId, storage, note, mode = "stop") =>
    order("POST", "/vzdump", {
      vmid: vmId,
      storage,
      mode,
      remove: 0,
      protected: 1,
      "notes-template": note,
    }),
  restore: (vmId, archive, force) =>
    order("POST", "/qemu", { vmid: vmId, archive, ...(force ? { force: 1 } : {}) }),
  start: (vmId) => order("POST", `/qemu/${vmId}/status/start`),
  shutDown: (vmId) =>
    order("POST", `/qemu/${vmId}/status/shutdown`, { timeout: 180, forceStop: 1 }),
  remove: (vmId) => order("DELETE", `/qemu/${vmId}`),
});

async function findGuest(
  get: (path: string) => Promise<unknown>,
  vmId: number,
): Promise<Guest | undefined> {
  const all = await listGuests(get);
  const found = all.find(({ vmid }) => vmid === vmId);
  if (!found?.node) return undefined;
  const { node, status } = found;
  const config = await ask(get, `/nodes/${node}/qemu/${vmId}/config`, guestConfig);
  const protection = Number(config.protection ?? 0) === 1;
  const lock = config.lock === undefined ? undefined : String(config.lock);
  return { node, running: status === "running", protection, lock };
}

/**
 * Waits for a task. A short interruption of the API does not end the wait. A task with warnings is done (pve-common,
 * PVE/Tools.pm: upid_status_is_error).
 *
 * @throws Error with the exit status of a task that failed
 */
export async function waitForTask(
  get: (path: string) => Promise<unknown>,
  upid: string,
  pollMs: number,
): Promise<Warnings> {
  const [, node = ""] = upid.split(":");
  const path = `/nodes/${node}/tasks/${encodeURIComponent(upid)}/status`;
  const ended = await poll({ everyMs: pollMs, limitMs: TASK_LIMIT_MS }, async () => {
    const told = await ask(get, path, task).catch(bearInterruption);
    return told?.status === "stopped" ? (told.exitstatus ?? "failed") : undefined;
  });
  if (ended === undefined)
    throw new Error(`Proxmox task ${upid} still runs after ${TASK_LIMIT_MS / 3_600_000} hours`);
  if (ended === "OK") return undefined;
  if (/^WARNINGS: \d+$/.test(ended)) return `done, with ${ended} (pvenode task log ${upid})`;
  throw new Error(`Proxmox task ${upid}: ${ended}`);
}

/** Tasks of a VM under high availability, and the state that they ask its manager for (qemu-server, API2/Qemu.pm). */
const ASKED_OF_MANAGER: Readonly<Record<string, string>> = {
  hastart: "running",
  hastop: "stopped",
};

const MANAGER_LIMIT_MS = 10 * 60_000;

/** Waits until the manager has done what it was asked: its tasks end as soon as it knows. */
async function waitForManager(
  get: (path: string) => Promise<unknown>,
  upid: string,
  pollMs: number,
): Promise<void> {
  const [, , , , , kind = "", vmId] = upid.split(":");
  const wanted = ASKED_OF_MANAGER[kind];
  if (wanted === undefined) return;
  const reached = await poll({ everyMs: pollMs, limitMs: MANAGER_LIMIT_MS }, async () => {
    const guests = await listGuests(get).catch(bearInterruption);
    return guests?.find(({ vmid }) => String(vmid) === vmId)?.status === wanted || undefined;
  });
  if (!reached)
    throw new Error(
      `VM ${vmId ?? ""} is not ${wanted} ten minutes after high availability was asked (ha-manager status says why)`,
    );
}

/** Of an API that does not answer for a moment nothing is known; any other error stays one. */
function bearInterruption(error: unknown): undefined {
  if (error instanceof ClusterError && (error.status === 0 || error.status >= 595)) return;
  throw error as Error;
}
