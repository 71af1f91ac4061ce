/** The lab's image registry, and the images in it. */
import * as fs from "node:fs";
import * as path from "node:path";

import { buildAgentImage } from "../images/agent";
import { BACKUP_SOURCES, buildBackupImage } from "../images/backup";
import { buildBusyboxImage } from "../images/busybox";
import { buildCadvisorImage } from "../images/cadvisor";
import { buildHaproxyImage } from "../images/haproxy";
import { readLayout, type ImageReference } from "../images/layout";
import { buildOnce, cacheDir, contentHash } from "./cache";
import { answersHttp } from "./mirror";
import { getPort } from "./ports";
import { buildGo, run } from "./run";
import { startService, type Log, type Service } from "./service";

export type SeededImage = ImageReference;
export type SeededImages = Record<
  "agent" | "busybox" | "backup" | "cadvisor" | "haproxy",
  SeededImage
>;

const MODULE = path.join(__dirname, "../services/registry");
const IMAGES = path.join(__dirname, "../images");

/** Returns `crane`, built once from the module that pins it. The first build takes half a minute. */
async function ensureCrane(log: Log): Promise<string> {
  const directory = cacheDir("registry", contentHash([MODULE]));
  await buildOnce(directory, async (into) => {
    log("registry: building crane, once");
    const pkg = "github.com/google/go-containerregistry/cmd/crane";
    await buildGo(MODULE, pkg, path.join(into, "crane"));
  });
  return path.join(directory, "crane");
}

/**
 * Starts the registry for a lab instance, or finds it running. It keeps blobs on disk but manifests in memory, so it has to
 * be seeded after every start.
 */
export async function startRegistry(o: { stateDir: string }, log: Log): Promise<Service> {
  const command = await ensureCrane(log);
  const port = await getPort(o.stateDir, "registry");
  const disk = path.join(o.stateDir, "registry");
  fs.mkdirSync(disk, { recursive: true });
  const args = ["registry", "serve", "--address", `127.0.0.1:${port}`, "--disk", disk];
  const isReady = (): Promise<boolean> => answersHttp(port, "/v2/");
  return startService(
    { name: "registry", command, args, stateDir: o.stateDir, port, ready: isReady },
    log,
  );
}

/** Returns the layout of an image in the cache. It is built if its sources have changed. */
async function getImageLayout(
  name: string,
  sources: string[],
  build: (into: string, log: Log) => Promise<void>,
  log: Log,
): Promise<string> {
  const shared = ["layout.ts", "tar.ts"].map((file) => path.join(IMAGES, file));
  const directory = cacheDir("images", name, contentHash([...sources, ...shared]));
  return buildOnce(directory, async (into) => {
    log(`registry: building the image ${name}, once`);
    await build(into, log);
  });
}

/** Pushes a layout under its tag, and checks the digest that the registry reports. */
export async function pushLayout(
  registry: Service,
  layout: string,
  log: Log,
): Promise<SeededImage> {
  const image = readLayout(layout);
  const target = `127.0.0.1:${registry.port}/${image.repository}`;
  const pushed = await run(await ensureCrane(log), ["push", layout, `${target}:${image.tag}`]);
  if (pushed.trim() !== `${target}@${image.digest}`) {
    throw new Error(`registry: ${image.repository} arrived as ${pushed.trim()}`);
  }
  log(`registry: ${image.repository}:${image.tag} ${image.digest}`);
  return image;
}

/** Files in `images/` whose content an image is made of, and what builds it. */
const BUILDS: Record<
  keyof SeededImages,
  readonly [sources: readonly string[], build: (into: string, log: Log) => Promise<void>]
> = {
  agent: [["agent.ts", "agent"], buildAgentImage],
  busybox: [["busybox.ts", "../lib/packages.ts"], buildBusyboxImage],
  backup: [["backup.ts", "debian.ts", ...BACKUP_SOURCES], buildBackupImage],
  cadvisor: [["cadvisor.ts", "busybox.ts", "cadvisor"], buildCadvisorImage],
  haproxy: [["haproxy.ts", "debian.ts"], buildHaproxyImage],
};

/** Puts the lab's images into a registry. Images that are there already stay. */
export async function seedRegistry(registry: Service, log: Log): Promise<SeededImages> {
  const names = Object.keys(BUILDS) as (keyof SeededImages)[];
  const layouts = names.map(async (name) => {
    const [sources, build] = BUILDS[name];
    const files = sources.map((file) => path.resolve(IMAGES, file));
    return [name, await getImageLayout(name, files, build, log)] as const;
  });
  const seeded: Partial<SeededImages> = {};
  for (const [name, layout] of await Promise.all(layouts))
    seeded[name] = await pushLayout(registry, layout, log);
  return seeded as SeededImages;
}
