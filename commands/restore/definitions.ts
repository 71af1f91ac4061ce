/** What a backup of the configuration knows of containers, networks, volumes and images. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { choose, pathOf, type Snapshot } from "../../clients/snapshots";
import { withScratch } from "../../clients/scratch";
import { nameOf, type Container, type Image, type Network, type Volume } from "../site/inventory";
import type { Site } from "../site/site";

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
    const read = (name: string): unknown =>
      JSON.parse(readFileSync(join(files, "definitions", `${name}.json`), "utf8"));
    return {
      snapshot,
      containers: read("containers") as Container[],
      networks: read("networks") as Network[],
      volumes: read("volumes") as Volume[],
      images: read("images") as Image[],
    };
  });
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
