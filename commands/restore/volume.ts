/** Restores a volume: the snapshot is extracted beside it and checked, and only then put in its place. */
import { choose, pathOf, timeOf, type Snapshot } from "../../clients/backup-server";
import { BACKUP_CONTAINER } from "../../config/backups";
import { nameOf, ownersOf, takeInventory, type Inventory } from "../site/inventory";
import type { Site } from "../site/site";
import { OBJECTIVES, type Recovery } from "./steps";
import { placeOf, type Meta } from "./volume-meta";
import { mayHoldData, stepsOf, type Plan } from "./volume-steps";

/**
 * Plans it; nothing is touched.
 * @param wanted `latest`, or the snapshot's time
 */
export async function planVolume(
  site: Site,
  volume: string,
  wanted = "latest",
  inventory?: Inventory,
): Promise<Recovery> {
  const all = await site.repository.snapshots("volumes");
  const snapshot = choose(all, volume, wanted, site.now());
  const plan = await gather(site, volume, snapshot, inventory ?? (await takeInventory(site.shell)));
  const { safety } = plan;
  return {
    title: `volume ${volume} on ${site.name}`,
    snapshot: pathOf(snapshot),
    takenAt: snapshot.takenAt,
    objectives: OBJECTIVES.volume,
    steps: stepsOf(plan),
    afterwards: mayHoldData(plan)
      ? [`what ${volume} held before is in ${safety}; when all is well: docker volume rm ${safety}`]
      : [],
  };
}

async function gather(
  site: Site,
  volume: string,
  snapshot: Snapshot,
  { volumes, containers }: Inventory,
): Promise<Plan> {
  const meta = JSON.parse(await site.repository.read("volumes", snapshot, "meta.conf")) as Meta;
  const backup = containers.filter((container) => nameOf(container) === BACKUP_CONTAINER);
  const users = [...ownersOf(volume, containers), ...backup];
  const running = users.filter(({ State }) => State?.Running).map(nameOf);
  const exists = volumes.some(({ Name }) => Name === volume);
  return {
    site,
    volume,
    snapshot,
    meta,
    exists,
    ...(exists ? {} : { place: placeOf(meta) }),
    running: [...new Set(running)],
    safety: `${volume}.before-${timeOf(site.now()).replaceAll(":", "")}`,
    staging: `${volume}.restoring`,
    image: site.backups.image,
    digest: "",
  };
}
