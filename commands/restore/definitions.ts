/** What a backup of the configuration knows of containers, networks, volumes and images. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { parseJson } from "../../clients/answer";
import { choose, pathOf, type Snapshot } from "../../clients/snapshots";
import { withScratch } from "../../clients/scratch";
import {
  inventorySchema,
  nameOf,
  type Container,
  type Image,
  type Network,
  type Volume,
} from "../site/inventory";
import type { Site } from "../site/site";
import { DEFINITIONS } from "./platform-files";

export interface Definitions {
  readonly snapshot: Snapshot;
  readonly containers: readonly Container[];
  readonly networks: readonly Network[];
  readonly volumes: readonly Volume[];
  readonly images: readonly Image[];
}

export async function readDefinitions(site: Site, wanted: string): Promise<Definitions> {
  const all = await site.repository.snapshots("configuration");
  const snapshot = choose(all, "configuration", wanted, site.now());
  return withScratch("restore", async (folder) => {
    const files = join(folder, "files");
    await site.repository.extract("configuration", snapshot, "files.pxar", files);
    const read = <T extends z.ZodType>(kind: string, schema: T): z.output<T> =>
      readKind(files, snapshot, kind, schema);
    const { networks, volumes, images } = inventorySchema.shape;
    return {
      snapshot,
      containers: readContainers(files, snapshot),
      networks: read("networks", networks),
      volumes: read("volumes", volumes),
      images: read("images", images),
    };
  });
}

/**
 * Reads the containers of a backup of the configuration, each as Docker's whole inspection.
 * @param folder with the archive's content
 * @throws AnswerError naming what is not as Docker says
 */
export const readContainers = (folder: string, snapshot: Snapshot): Container[] =>
  readKind(folder, snapshot, "containers", inventorySchema.shape.containers);

function readKind<T extends z.ZodType>(
  folder: string,
  snapshot: Snapshot,
  kind: string,
  schema: T,
): z.output<T> {
  const file = join(DEFINITIONS, `${kind}.json`);
  const text = readFileSync(join(folder, file), "utf8");
  return parseJson(schema, text, `${pathOf(snapshot)} ${file}`);
}

export const hasName =
  (name: string) =>
  (container: Container): boolean =>
    nameOf(container) === name;

/** @throws Error naming what there is */
export function find({ containers, snapshot }: Definitions, name: string): Container {
  const found = containers.find(hasName(name));
  if (found) return found;
  const names = containers.map(nameOf).join(", ") || "none";
  throw new Error(`${pathOf(snapshot)} has no container ${name}; it has: ${names}`);
}
