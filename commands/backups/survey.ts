/** Gathers the evidence for the coverage map of a node. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Repository } from "../../clients/backup-server";
import { isGood, type Snapshot } from "../../clients/snapshots";
import { messageOf } from "../../clients/failure";
import { readIndex } from "../site/image";
import { takeInventory, type Inventory } from "../site/inventory";
import type { Site } from "../site/site";
import { mapCoverage } from "./coverage";
import type { Evidence, IndexEvidence, Row, Unasked } from "./evidence";

/** Paths that every backup of the configuration has. The backup container reads the same file. */
export function readConfigurationPaths(): string[] {
  const file = join(__dirname, "../../node/backup/configuration.paths");
  return readFileSync(file, "utf8").trim().split("\n");
}

/** The coverage map of a node, from what node, backup server and Proxmox say now. */
export async function survey(site: Site): Promise<Row[]> {
  const { name, repository, backups, node } = site;
  const [inventory, volumes, configuration, images, vm, pruneJobs] = await Promise.all([
    takeInventory(site.shell),
    repository.snapshots("volumes"),
    repository.snapshots("configuration"),
    repository.snapshots("images"),
    findNewestOfVm(site),
    repository.pruneJobs().catch(asUnasked),
  ]);
  const evidence: Evidence = {
    node: name,
    backups,
    inventory,
    snapshots: { volumes, configuration, images },
    images: await readContents(site, images, inventory),
    configurationPaths: [...readConfigurationPaths(), ...backups.configuration.paths],
    vm,
    vmId: node.machine.vmId,
    pruneJobs,
    vmStore: site.vmStore,
  };
  return mapCoverage(evidence, site.now());
}

/** Reads indexes from the newest snapshot backwards, until every image is found. */
async function readContents(
  { repository, now }: Site,
  snapshots: readonly Snapshot[],
  { containers }: Inventory,
): Promise<Evidence["images"]> {
  const wanted = new Set(containers.map(({ Image }) => Image));
  const found: IndexEvidence[] = [];
  for (const snapshot of snapshots.filter((one) => isGood(one, now()))) {
    if (wanted.size === 0) break;
    const read = await readIds(repository, snapshot);
    found.push(read);
    for (const id of read.ids) wanted.delete(id);
  }
  return found;
}

/** A snapshot that cannot be read leaves the rest of the map complete. */
async function readIds(repository: Repository, snapshot: Snapshot): Promise<IndexEvidence> {
  try {
    return { snapshot, ids: (await readIndex(repository, snapshot)).map(({ id }) => id) };
  } catch (error) {
    return { snapshot, ids: [], ...asUnasked(error) };
  }
}

async function findNewestOfVm({ proxmox, backups, node }: Site): Promise<Evidence["vm"]> {
  if (!backups.vm) return null;
  try {
    return (await proxmox.backups(backups.vm.storage, node.machine.vmId))[0] ?? null;
  } catch (error) {
    return asUnasked(error);
  }
}

/** A source that does not answer leaves the rest of the map complete. */
const asUnasked = (error: unknown): Unasked => ({
  problem: messageOf(error),
});
