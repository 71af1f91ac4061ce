import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import type { BackupStorageConfig, BackupsConfig } from "../../config/schema";
import { nameResource } from "../../config/names";

type VmBackupConfig = NonNullable<BackupsConfig["vm"]>;

/** The cluster's backup job for one VM: Proxmox itself copies the whole machine to its backup storage. */
export function createVmBackup(
  name: string,
  vmId: number,
  vm: VmBackupConfig,
  opts: pulumi.CustomResourceOptions,
): proxmox.backup.Job {
  return new proxmox.backup.Job(nameResource(name, "vm-backup"), jobArgs(vmId, vm), opts);
}

/** Defaults are written out: what Proxmox fills in comes back as a difference. */
function jobArgs(vmId: number, vm: VmBackupConfig): proxmox.backup.JobArgs {
  const { schedule, storage, mode, notesTemplate, repeatMissed, fleecing } = vm;
  return {
    resourceId: `docker-node-${vmId}`,
    enabled: true,
    // By id wherever it runs: a VM that has migrated is backed up there.
    vmids: [String(vmId)],
    schedule,
    storage,
    mode,
    notesTemplate,
    repeatMissed,
    ...retentionOf(vm),
    protected: false,
    ...(fleecing ? { fleecing: { enabled: true, storage: fleecing.storage } } : {}),
  };
}

/**
 * What the job says counts before what the storage says (pve-manager, VZDump.pm): a job that keeps some is reported
 * as failed, its backup made, when the storage's token may not remove others.
 */
function retentionOf({
  keepDays,
  prunedBy,
}: VmBackupConfig): Pick<proxmox.backup.JobArgs, "pruneBackups" | "remove"> {
  return prunedBy === "server"
    ? { pruneBackups: { "keep-all": "1" }, remove: false }
    : { pruneBackups: { "keep-daily": String(keepDays) }, remove: true };
}

/** What the backup storage of the cluster needs. */
export interface BackupStorageArgs {
  storage: BackupStorageConfig;
  /** Password of the user, or secret of the token, that Proxmox VE presents to the backup server. */
  token: pulumi.Input<string>;
  /** Encryption key as JSON text. Default: VM backups are not encrypted. */
  key?: pulumi.Input<string>;
}

/** The backup server as a storage of the cluster. */
export function createBackupStorage(
  { storage, token, key }: BackupStorageArgs,
  opts: pulumi.CustomResourceOptions,
): proxmox.storage.Pbs {
  const { id, ...server } = storage;
  return new proxmox.storage.Pbs(
    `storage-${id}`,
    { resourceId: id, ...server, password: token, encryptionKey: key, contents: ["backup"] },
    // Two storages cannot have one name, and taking the entry away touches no backup.
    { ...opts, deleteBeforeReplace: true, additionalSecretOutputs: ["password", "encryptionKey"] },
  );
}
