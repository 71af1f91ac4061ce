/** The kept lab: the first one that is brought up with these sources is saved, and the next ones begin with it. */
import * as fs from "node:fs";
import * as path from "node:path";
import { messageOf } from "../../clients/failure";
import { cacheDir, contentHash } from "./cache";
import { getDockerRepository } from "./docker";
import { ROOT, readDeclared, type Instance } from "./instance";
import { ageOf, loadLab, namesIn, saveLab } from "./saved";
import type { Log } from "./service";
import { buildLab, startLab, type Lab } from "./services";
import { chooseColour, openStack } from "./stack";

/** What makes a lab's node what it is. */
const SOURCES = [
  ...["clients", "commands/portainer", "components", "config", "contract", "node"],
  ...["lab", "index.ts", "package-lock.json", "Pulumi.yaml", "Pulumi.lab.yaml", "Pulumi.prod.yaml"],
];

/** Certificates, backups and what a node knows of the time get old. */
const AGE_LIMIT_MS = 24 * 60 * 60 * 1000;

/** How many kept labs there may be. Each takes some gigabytes. */
const COUNT_LIMIT = 2;

/** The folder of the kept lab that an instance would begin with. */
async function locateKept(instance: Instance, log: Log): Promise<string> {
  const { image } = await buildLab(log);
  const repository = await getDockerRepository(instance, image, log);
  const declared = JSON.stringify(readDeclared(instance));
  const sources = SOURCES.map((source) => path.join(ROOT, source));
  const key = contentHash(sources, image.sha256, repository?.directory ?? "", declared);
  return cacheDir("kept", key);
}

/**
 * A lab with a node that runs as Pulumi.lab.yaml declares it: the kept one, else a new one, which is kept then.
 *
 * @param instance one that is not there yet
 * @param print for Pulumi's output
 */
export async function bringUpLab(
  instance: Instance,
  log: Log,
  print: (text: string) => void = () => undefined,
): Promise<Lab> {
  const kept = await locateKept(instance, log);
  return (await tryLoad(instance, kept, log)) ?? (await bringUp(instance, log, print));
}

async function tryLoad(instance: Instance, kept: string, log: Log): Promise<Lab | undefined> {
  const age = ageOf(kept);
  if (age === undefined) return undefined;
  try {
    if (age < AGE_LIMIT_MS) return await loadLab(instance, kept, log);
  } catch (error) {
    log(`the kept lab cannot be used: ${messageOf(error)}`);
  }
  fs.rmSync(kept, { recursive: true, force: true });
  return undefined;
}

async function bringUp(instance: Instance, log: Log, print: (text: string) => void): Promise<Lab> {
  const lab = await startLab(instance, log);
  const stack = await openStack(lab);
  await stack.up({ onOutput: print, color: chooseColour() });
  return keepLab(lab, log);
}

/** Keeps a lab whose node has just been brought up, unless one like it is kept. */
export async function keepLab(lab: Lab, log: Log): Promise<Lab> {
  const kept = await locateKept(lab.instance, log);
  if ((ageOf(kept) ?? AGE_LIMIT_MS) < AGE_LIMIT_MS) return lab;
  fs.rmSync(kept, { recursive: true, force: true });
  const running = await saveLab(lab, kept, log);
  removeOld(path.dirname(kept));
  return running;
}

/** Removes all but the newest. */
function removeOld(folder: string): void {
  const labs = namesIn(folder).map((name) => path.join(folder, name));
  const byAge = labs.sort((a, b) => (ageOf(a) ?? 0) - (ageOf(b) ?? 0));
  for (const old of byAge.slice(COUNT_LIMIT)) fs.rmSync(old, { recursive: true, force: true });
}
