/** Backups in a storage of Proxmox VE, and what a token may do with them. */

import type { z } from "zod";
import { ask } from "./proxmox";
import { content, permissions, storages } from "./proxmox-answers";

/** A VM's backup in a storage (`GET /nodes/{node}/storage/{storage}/content`). */
export interface VmBackup {
  /** Volume id, such as `pbs01:backup/vm/2019/2026-01-31T03:30:00Z`. */
  readonly volume: string;
  readonly takenAt: Date;
  /** Set if the backup is protected from pruning. */
  readonly protected?: true;
}

type Content = z.output<typeof content>[number];

type Get = (path: string) => Promise<unknown>;

/**
 * Lists the backups of a VM, the newest first.
 * @throws Error if the list is empty because the token may not see backups (pve-storage, check_volume_access)
 */
export async function listBackups(
  get: Get,
  node: string,
  storage: string,
  vmId: number,
): Promise<VmBackup[]> {
  const path = `/nodes/${node}/storage/${storage}/content?content=backup&vmid=${vmId}`;
  const found = (await ask(get, path, content))
    .filter(({ volid, vmid }) => volid.includes(":backup/") && Number(vmid ?? vmId) === vmId)
    .map(backupOf)
    .sort((a, b) => b.takenAt.getTime() - a.takenAt.getTime());
  if (found.length === 0) await requireSight(get, storage, vmId);
  return found;
}

const backupOf = ({ volid, ctime, protected: kept }: Content): VmBackup => ({
  volume: volid,
  takenAt: new Date(ctime * 1000),
  ...(Number(kept ?? 0) === 1 ? { protected: true } : {}),
});

/** Proxmox silently leaves out of a list what the token may not see, so an empty list needs this check. */
async function requireSight(get: Get, storage: string, vmId: number): Promise<void> {
  const at = await readPrivileges(get, `/storage/${storage}`);
  if (at.has("Datastore.Allocate")) return;
  const vm = await readPrivileges(get, `/vms/${vmId}`);
  if (at.has("Datastore.AllocateSpace") && vm.has("VM.Backup")) return;
  throw new Error(
    `the token sees no backups in ${storage}: it lacks Datastore.Allocate on /storage/${storage}, ` +
      `or Datastore.AllocateSpace there and VM.Backup on /vms/${vmId}`,
  );
}

async function readPrivileges(get: Get, path: string): Promise<Set<string>> {
  const held = await ask(get, `/access/permissions?path=${path}`, permissions);
  return new Set(Object.keys(held[path] ?? {}));
}

/** Default limit of protected backups for a token without Datastore.Allocate (pve-storage, Storage.pm). */
const DEFAULT_LIMIT = 5;

/** How many protected backups a VM may have in a storage; Infinity for any number. */
export async function readProtectedLimit(get: Get, storage: string): Promise<number> {
  const all = await ask(get, "/storage", storages);
  const set = all.find((one) => one.storage === storage)?.["max-protected-backups"];
  if (set !== undefined) return Number(set) < 0 ? Infinity : Number(set);
  const privileges = await readPrivileges(get, `/storage/${storage}`);
  return privileges.has("Datastore.Allocate") ? Infinity : DEFAULT_LIMIT;
}
