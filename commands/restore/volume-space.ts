/** Whether Docker's disk has room for a volume's restore. */
import { z } from "zod";
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

const gibibytesText = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
