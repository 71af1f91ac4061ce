/** The lab's image registry, and the images in it. */
import * as fs from "node:fs";
import * as path from "node:path";

import { AGENT_SOURCE, buildAgentImage } from "../images/agent";
import { BACKUP_SOURCES, buildBackupImage } from "../images/backup";
import { buildBusyboxImage } from "../images/busybox";
import { CADVISOR_SOURCE, buildCadvisorImage } from "../images/cadvisor";
import { readLayout, type ImageReference } from "../images/layout";
import { buildOnce, cacheDir, contentHash } from "./cache";
import { answersHttp } from "./mirror";
import { getPort } from "./ports";
import { buildGo, run } from "./run";
import { startService, type Log, type Service } from "./service";

export type SeededImage = ImageReference;
export type SeededImages = Record<"agent" | "busybox" | "backup" | "cadvisor", SeededImage>;

const MODULE = path.join(__dirname, "../services/registry");
const IMAGES = path.join(__dirname, "../images");
const PACKAGES = path.join(__dirname, "packages.ts");

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

/** Puts the lab's images into a registry. Images that are there already stay. */
export async function seedRegistry(registry: Service, log: Log): Promise<SeededImages> {
  const sourceOf = (name: string): string => path.join(IMAGES, name);
  const [agent, busybox, backup, cadvisor] = await Promise.all([
    getImageLayout("agent", [sourceOf("agent.ts"), AGENT_SOURCE], buildAgentImage, log),
    getImageLayout("busybox", [sourceOf("busybox.ts"), PACKAGES], buildBusyboxImage, log),
    getImageLayout("backup", [sourceOf("backup.ts"), ...BACKUP_SOURCES], buildBackupImage, log),
    getImageLayout("cadvisor", [sourceOf("cadvisor.ts"), CADVISOR_SOURCE], buildCadvisorImage, log),
  ]);
  return {
    agent: await pushLayout(registry, agent, log),
    busybox: await pushLayout(registry, busybox, log),
    backup: await pushLayout(registry, backup, log),
    cadvisor: await pushLayout(registry, cadvisor, log),
  };
}
