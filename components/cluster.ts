import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../config/load";
import type { Secrets } from "../config/secret-values";
import type { RecordedNode } from "../node/recorded";
import { createBackupStorage } from "./backup/vm-backup";
import { CloudImage, imagesOf } from "./machine/cloud-image";

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

/** Downloads each cloud image once, however many nodes start from it. Returns the one of each node, by the node's name. */
export function createImages(
  { nodes }: Settings,
  known: Readonly<Record<string, { readonly recorded: RecordedNode }>>,
  cluster: proxmox.Provider,
): ReadonlyMap<string, CloudImage | undefined> {
  const images = new Map<string, CloudImage>();
  const entries = Object.entries(nodes).map(([name, { machine }]) => {
    const wanted = imagesOf(machine, known[name]?.recorded.downloads);
    for (const [key, args] of wanted)
      if (!images.has(key))
        images.set(key, new CloudImage(key, args, { providers: { proxmoxve: cluster } }));
    return [name, images.get(wanted[0]?.[0] ?? "")] as const;
  });
  return new Map(entries);
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
