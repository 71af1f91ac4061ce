/**
 * Saved labs: the files of an instance, its guests suspended to disk, in the cache. Loaded, they are another instance, with
 * other ports in another directory, whose guests go on where they were.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { UsageError } from "../../commands/command";
import { buildOnce, cacheDir } from "./cache";
import { suspendGuests, wakeGuests } from "./guests";
import { prepare, type Instance } from "./instance";
import { movePlace, placeOf, type Place } from "./place";
import { run } from "./run";
import type { Log } from "./service";
import { removeLab, startLab, stopLab, type Lab } from "./services";
import { stackEnv } from "./stack";

/** What belongs to a running process, or is made at each start. */
const FLEETING = /\.(pid|port|log)$|^(bin|docker|files)$|^(pve|pve-settings|forwards)\.json$/;

/** What is known of a saved lab. */
interface SavedLab {
  /** Where it lived. */
  readonly place: Place;
  /** Milliseconds since the epoch. */
  readonly savedAt: number;
}

const recordOf = (saved: string): string => path.join(saved, "saved.json");

/** Milliseconds since a lab was saved; undefined if there is none in this folder. */
export function ageOf(saved: string): number | undefined {
  if (!fs.existsSync(recordOf(saved))) return undefined;
  return Date.now() - read(saved).savedAt;
}

const read = (saved: string): SavedLab =>
  JSON.parse(fs.readFileSync(recordOf(saved), "utf8")) as SavedLab;

/**
 * The folder of a lab that a person saves under a name.
 * @throws UsageError if the name has characters other than letters, digits and hyphens
 */
export function savedAs(name = ""): string {
  if (!/^[a-z0-9-]{1,32}$/.test(name))
    throw new UsageError(
      `name of a saved lab: "${name}"; allowed: 1 to 32 lower-case letters, digits and hyphens`,
    );
  return cacheDir("saved", name);
}

/** Names of the labs that people saved. */
export const savedNames = (): string[] => namesIn(cacheDir("saved")).sort();

/** Names of the saved labs in a folder, in no order. */
export function namesIn(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).filter((name) => ageOf(path.join(folder, name)) !== undefined);
}

/**
 * Saves a lab into a folder, unless one is saved there. Meanwhile it stands still for some seconds, and its services are
 * started anew; then it goes on, at the same ports.
 */
export async function saveLab(lab: Lab, into: string, log: Log): Promise<Lab> {
  const { instance } = lab;
  const resumeLab = async (): Promise<Lab> => {
    const again = await startLab(instance, log);
    await wakeGuests(again);
    return again;
  };
  const began = Date.now();
  try {
    await suspendGuests(lab);
    await stopLab(instance);
    await buildOnce(into, (saved) => saveFiles(instance, saved));
  } catch (error) {
    await resumeLab();
    throw error;
  }
  const again = await resumeLab();
  log(`lab "${instance.name}" saved in ${secondsSince(began)} s`);
  return again;
}

async function saveFiles(instance: Instance, saved: string): Promise<void> {
  const record: SavedLab = { place: placeOf(instance), savedAt: Date.now() };
  await copyFiles(instance.stateDir, path.join(saved, "state"));
  fs.writeFileSync(recordOf(saved), JSON.stringify(record));
}

/**
 * Loads a saved lab as an instance that is not there yet. If that fails, nothing of it stays.
 * @throws Error if the instance is there
 */
export async function loadLab(instance: Instance, saved: string, log: Log): Promise<Lab> {
  if (fs.existsSync(instance.stateDir))
    throw new Error(`lab "${instance.name}" is there; remove it first: npm run lab -- down`);
  const began = Date.now();
  try {
    prepare(instance);
    await copyFiles(path.join(saved, "state"), instance.stateDir);
    const lab = await startLab(instance, log);
    await moveStacks(lab, read(saved).place);
    await wakeGuests(lab);
    log(`lab "${instance.name}" loaded in ${secondsSince(began)} s`);
    return lab;
  } catch (error) {
    await removeLab(instance);
    throw error;
  }
}

const secondsSince = (began: number): number => Math.round((Date.now() - began) / 1000);

/** Copies an instance's lasting files. Disks are sparse, and stay so. */
async function copyFiles(from: string, to: string): Promise<void> {
  fs.mkdirSync(to, { recursive: true, mode: 0o700 });
  const names = fs.readdirSync(from).filter((name) => !FLEETING.test(name));
  const options = ["--archive", "--sparse=always", "--reflink=auto"];
  await run("cp", [...options, "--target-directory", to, ...names.map((n) => path.join(from, n))]);
}

/** Puts what the stacks know of the instance's place right. Connections are secrets, so only Pulumi can read them. */
async function moveStacks(lab: Lab, from: Place): Promise<void> {
  const { stateDir, runDir } = lab.instance;
  const to = placeOf(lab.instance);
  const runPulumi = (args: string[]): Promise<string> =>
    run(lab.pulumi.cli, args, { cwd: runDir, env: stackEnv(lab) });
  const file = path.join(runDir, "deployment.json");
  for (const stack of stacksIn(path.join(stateDir, "pulumi"))) {
    const text = await runPulumi(["stack", "export", "--show-secrets", "--stack", stack]);
    const moved = movePlace(JSON.parse(text), from, to);
    fs.writeFileSync(file, JSON.stringify(moved), { mode: 0o600 });
    try {
      await runPulumi(["stack", "import", "--stack", stack, "--file", file]);
    } finally {
      fs.rmSync(file);
    }
  }
}

/** Full names of the stacks in a backend of files. */
function stacksIn(backend: string): string[] {
  const folder = path.join(backend, ".pulumi", "stacks");
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).flatMap((project) =>
    fs
      .readdirSync(path.join(folder, project))
      .filter((name) => name.endsWith(".json"))
      .map((name) => `organization/${project}/${name.slice(0, -".json".length)}`),
  );
}
