/** Gathers the evidence for the coverage map of a node. */
import { coverage, type Evidence, type Row } from "./coverage";
import { readIndex } from "../site/image";
import { takeInventory, type Inventory } from "../site/inventory";
import type { Snapshot } from "../../clients/backup-server";
import type { Site } from "../site/site";

/** What the backup of the configuration takes in any case (node/backup/configuration.sh). */
const CONFIGURATION_PATHS = [
  "/etc/docker",
  "/etc/containerd",
  "/etc/default/docker",
  "/etc/systemd/system/docker.service",
  "/etc/systemd/system/docker.service.d",
  "/etc/systemd/system/docker.socket.d",
  "/etc/systemd/system/containerd.service.d",
  "/etc/apt/sources.list.d",
  "/etc/apt/keyrings",
  "/etc/apt/preferences.d",
];

/** The coverage map of a node, from what node, backup server and Proxmox say now. */
export async function survey(site: Site): Promise<Row[]> {
  const { repository, backups, node } = site;
  const [inventory, volumes, configuration, images] = await Promise.all([
    takeInventory(site.shell),
    repository.snapshots("volumes"),
    repository.snapshots("configuration"),
    repository.snapshots("images"),
  ]);
  const evidence: Evidence = {
    inventory,
    snapshots: { volumes, configuration, images },
    images: await contents(site, images, inventory),
    configurationPaths: [...CONFIGURATION_PATHS, ...backups.configuration.paths],
    vm: await newestOfVm(site),
    vmId: node.machine.vmId,
  };
  return coverage(evidence, site.now());
}

/** Indexes from the newest snapshot back, no further than every image is found. */
async function contents(
  { repository }: Site,
  snapshots: readonly Snapshot[],
  { containers }: Inventory,
): Promise<Evidence["images"]> {
  const wanted = new Set(containers.map(({ Image }) => Image));
  const found: { snapshot: Snapshot; ids: string[] }[] = [];
  for (const snapshot of snapshots) {
    if (wanted.size === 0) break;
    const ids = (await readIndex(repository, snapshot)).map(({ id }) => id);
    found.push({ snapshot, ids });
    for (const id of ids) wanted.delete(id);
  }
  return found;
}

async function newestOfVm({ proxmox, backups, node }: Site): Promise<Evidence["vm"]> {
  if (!backups.vm) return null;
  try {
    return (await proxmox.backups(backups.vm.storage, node.machine.vmId))[0] ?? null;
  } catch {
    return undefined;
  }
}
