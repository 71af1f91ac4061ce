import * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { nameResource, PART } from "../../config/names";
import type { Parts } from "../shared/parts";
import { Backups } from "./backups";
import { createVmBackup } from "./vm-backup";

/** What the stack has of a node's backups: secrets, and the storage for its VM. */
export interface BackupSecrets {
  /** Secret of the node's API token on the backup server. */
  readonly token: pulumi.Input<string>;
  /** Encryption key, as `proxmox-backup-client key create --kdf none` writes it. */
  readonly key: pulumi.Input<string>;
  /** The backup storage of the cluster, where the program makes it. */
  readonly storage?: pulumi.Resource;
}

/** Creates the backups of a node, if they are declared. */
export function createBackups(
  name: string,
  { node, backupSecrets }: { node: NodeConfig; backupSecrets?: BackupSecrets },
  { dockerHost, machine, images, repairs }: Parts,
  opts: pulumi.ComponentResourceOptions,
): void {
  const { backups } = node;
  if (!backups) return;
  if (!backupSecrets) throw new pulumi.RunError(`${name}: a node with backups needs backupSecrets`);
  const { token, key, storage } = backupSecrets;
  const { dockerRootDir } = dockerHost.facts;
  const { connection } = dockerHost;
  const override = node.override?.backup;
  const own = { nodeName: name, override, repairs };
  const shared = { ...own, node, backups, machine, images, connection };
  const args = { ...shared, token, key, dockerRootDir };
  const container = new Backups(nameResource(name, PART.backups), args, opts);
  if (!backups.vm) return;
  createVmBackup(name, node.machine.vmId, backups.vm, {
    parent: container,
    dependsOn: storage ? [machine, storage] : [machine],
  });
}
