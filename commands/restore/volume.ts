/** Restores a volume: the snapshot is extracted beside it and checked, and only then put in its place. */
import { parseJson } from "../../clients/answer";
import { choose, largerBefore, pathOf, timeOf, type Snapshot } from "../../clients/snapshots";
import { BACKUP_CONTAINER } from "../../config/backups";
import { nameOf, ownersOf, takeInventory, type Container, type Inventory } from "../site/inventory";
import type { Site } from "../site/site";
import { OBJECTIVES, Refusal, type Recovery } from "./steps";
import { metaSchema, placeOf } from "./volume-meta";
import { requireRoom, shrunkText } from "./volume-space";
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
  const known = inventory ?? (await takeInventory(site.shell));
  const plan = await gather(site, volume, snapshot, known);
  await requireRoom(plan, known);
  const { safety } = plan;
  const larger = wanted === "latest" ? largerBefore(all, snapshot, site.now()) : undefined;
  return {
    title: `volume ${volume} on ${site.name}`,
    snapshot: pathOf(snapshot),
    takenAt: snapshot.takenAt,
    objectives: OBJECTIVES.volume,
    ...(larger && { cautions: [shrunkText(snapshot, larger)] }),
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
  const text = await site.repository.read("volumes", snapshot, "meta.conf");
  const meta = parseJson(metaSchema, text, `${pathOf(snapshot)} meta.conf`);
  const running = runningUsers(volume, containers);
  requireNoneLost(volume, running);
  const exists = volumes.some(({ Name }) => Name === volume);
  return {
    site,
    volume,
    snapshot,
    meta,
    exists,
    ...(exists ? {} : { place: placeOf(meta) }),
    running: [...new Set(running.map(nameOf))],
    safety: `${volume}.before-${timeOf(site.now()).replaceAll(":", "")}`,
    staging: `${volume}.restoring`,
    image: site.backups.image,
    digest: "",
  };
}

/** Running containers that use a volume, and the one that backs it up. */
function runningUsers(volume: string, containers: readonly Container[]): Container[] {
  const backup = containers.filter((container) => nameOf(container) === BACKUP_CONTAINER);
  const users = [...ownersOf(volume, containers), ...backup];
  return users.filter(({ State }) => State?.Running);
}

/** Docker removes a container with --rm when it stops, together with its anonymous volumes. */
function requireNoneLost(volume: string, running: readonly Container[]): void {
  const names = running.filter(isLost).map(nameOf).join(" ");
  if (names === "") return;
  throw new Refusal(
    `volume ${volume}: containers that use it would be removed when they stop (--rm), together with their anonymous volumes: ` +
      `${names}. Save what you need of them, and stop them yourself first: docker stop ${names}`,
  );
}

/** Whether a container would be lost by a stop (--rm). One that a backup or a recovery made is meant to go. */
const isLost = ({ HostConfig, Config: { Labels } }: Container): boolean =>
  HostConfig["AutoRemove"] === true &&
  !["docker-node.backup.holder", "docker-node.recovery"].some((label) => Labels?.[label]);
