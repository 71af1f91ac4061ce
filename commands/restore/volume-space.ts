/** A volume's size: whether Docker's disk has room for its restore, and whether a snapshot holds all of it. */
import { z } from "zod";
import { timeOf, type Snapshot } from "../../clients/snapshots";
import type { Inventory } from "../site/inventory";
import { Refusal } from "./steps";
import { placeOf } from "./volume-meta";
import type { Plan } from "./volume-steps";

/** The manifest that the client keeps of each snapshot. */
const manifest = z.object({ files: z.array(z.object({ filename: z.string(), size: z.number() })) });

/** File systems whose copies share their blocks (cp --reflink). */
const REFLINKS = ["xfs", "btrfs"];

/**
 * Compares a snapshot's size with what is free. The content is extracted beside the volume first, and then copied into it.
 * Where the size or the free space is not known, nothing is compared; nor where a killed run left its part, which goes first.
 * @throws Refusal with the figures
 */
export async function requireRoom(plan: Plan, { disk, volumes }: Inventory): Promise<void> {
  const { volume, place, staging } = plan;
  const size = await readSize(plan);
  if (size === undefined || !disk || volumes.some(({ Name }) => Name === staging)) return;
  const options = volumes.find(({ Name }) => Name === volume)?.Options;
  const outside = place ?? placeOf({ options });
  const times = outside || REFLINKS.includes(disk.type) ? 1 : 2;
  if (size * times <= disk.free) return;
  const what = times === 1 ? "the size of the snapshot" : "twice the size of the snapshot";
  throw new Refusal(
    `volume ${volume}: its restore needs ${gibibytesText(size * times)} on Docker's disk (${disk.type}), ${what}, and ` +
      `${gibibytesText(disk.free)} are free: make room, or give the disk another size (machine.dockerDisk, machine.disk)`,
  );
}

/** Bytes of the archive; holes of sparse files count in full. */
async function readSize({ site, snapshot }: Plan): Promise<number | undefined> {
  const text = await site.repository.read("volumes", snapshot, "index.json").catch(() => "");
  if (text === "") return undefined;
  const { data } = manifest.safeParse(JSON.parse(text));
  return data?.files.find(({ filename }) => filename === "data.pxar.didx")?.size;
}

/** Why the newest snapshot may not be the one that is wanted: one of before has more than twice its size. */
export const shrunkText = ({ id, size = 0 }: Snapshot, larger: Snapshot): string =>
  `volume ${id}: the snapshot has ${sizeText(size)}, that of ${timeOf(larger.takenAt)} has ${sizeText(larger.size ?? 0)}: if data was lost ` +
  `before the newer one was taken, add --snapshot ${timeOf(larger.takenAt)}`;

const sizeText = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : gibibytesText(bytes);

const gibibytesText = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
