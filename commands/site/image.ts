/** Gets images onto the node: from their registry, or from the backup. */
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import type { Repository } from "../../clients/backup-server";
import { isGood, pathOf, type Snapshot } from "../../clients/snapshots";
import { withScratch } from "../../clients/scratch";
import type { Site } from "./site";

/** An image as a container knows it, and how to get it. */
export interface Wanted {
  /** Name or id it is asked for by. */
  readonly name: string;
  /** Where to pull it from; empty for nowhere. */
  readonly source: string;
  /** Its id, when it is known. */
  readonly id?: string;
}

/**
 * Makes sure that the image is on the node, and returns how to call it: its name, or its id if it came from the
 * backup, because `docker load` restores no digests. If the id is known, the image has that id.
 * @throws Error when neither registry nor backup has it
 */
export async function ensureImage(site: Site, { name, source, id }: Wanted): Promise<string> {
  const has = (image: string, from = ""): Promise<string> =>
    site.shell.script("recovery/image", { IMAGE: image, SOURCE: from });
  if (id !== undefined && (await has(id)) !== "") return (await has(name)) === id ? name : id;
  const pulled = await has(name, source);
  if (pulled !== "" && (id === undefined || pulled === id)) return name;
  const loaded = await loadBackup(site, { name, source, id });
  if ((await has(loaded)) !== "") return (await has(name)) === loaded ? name : loaded;
  throw new Error(`${name}: cannot be pulled, and is not in the backup of images`);
}

/**
 * Loads every image of the newest backup of images onto the node, and returns the id of the wanted one. Images
 * that are there already cost little.
 */
async function loadBackup({ repository, shell, now }: Site, { name, id }: Wanted): Promise<string> {
  const newest = (await repository.snapshots("images")).find((one) => isGood(one, now()));
  if (!newest) throw new Error(`${name}: cannot be pulled, and images were never backed up`);
  const index = await readIndex(repository, newest);
  const wanted = id ?? index.find(({ reference }) => reference === name)?.id;
  if (!wanted || !index.some((entry) => entry.id === wanted))
    throw new Error(`${name}: cannot be pulled, and is not in ${pathOf(newest)}`);
  await withScratch("restore", async (folder) => {
    await repository.extract("images", newest, "images.pxar", join(folder, "images"));
    const archive = { program: "tar", args: ["-c", "-C", join(folder, "images"), "."] };
    await shell.feed(["docker", "load", "--quiet"], archive);
  });
  return wanted;
}

/** The index of an images backup, as node/backup/images.sh writes it: names that containers use, with the images' ids. */
const indexSchema = z.array(z.object({ reference: z.string(), id: z.string() }));
type Indexed = z.output<typeof indexSchema>[number];

/** What an images backup holds. */
export async function readIndex(repository: Repository, snapshot: Snapshot): Promise<Indexed[]> {
  const text = await repository.read("images", snapshot, "index.conf");
  return parseJson(indexSchema, text, `${pathOf(snapshot)} index.conf`);
}
