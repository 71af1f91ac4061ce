import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/load";
import type { Secrets } from "../config/secret-values";
import { createBackupStorage } from "./backup/vm-backup";
import { CloudImage, imageKey } from "./machine/cloud-image";

/*
 * What the nodes of a stack share: the connection to Proxmox VE, the images they start from, and the backup
 * server as a storage of the cluster.
 */

/** One provider for the whole cluster, because the cluster is one API. */
export function connectProxmox(
  { proxmox: settings }: Settings,
  secrets: Secrets,
): proxmox.Provider {
  return new proxmox.Provider("proxmox", {
    endpoint: settings.endpoint,
    insecure: settings.insecure,
    apiToken: secrets.proxmoxApiToken,
  });
}

/** Downloads each cloud image once, however many nodes start from it. */
export function createImages(
  settings: Settings,
  cluster: proxmox.Provider,
): ReadonlyMap<string, CloudImage> {
  const images = new Map<string, CloudImage>();
  for (const { machine } of Object.values(settings.nodes)) {
    const key = imageKey(machine);
    const { image, proxmoxNode } = machine;
    if (!key || images.has(key) || !image || !("url" in image)) continue;
    const args = { proxmoxNode: image.node ?? proxmoxNode, image };
    images.set(key, new CloudImage(key, args, { providers: { proxmoxve: cluster } }));
  }
  return images;
}

/** Adds the backup server to the cluster as a storage. Undefined if the stack declares none. */
export function createStorage(
  { proxmox: { backupStorage: storage } }: Settings,
  secrets: Secrets,
  provider: proxmox.Provider,
): pulumi.Resource | undefined {
  if (!storage || !secrets.storage) return undefined;
  return createBackupStorage({ storage, ...secrets.storage }, { provider });
}
