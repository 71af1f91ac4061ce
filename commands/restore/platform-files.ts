/** The files of a configuration's archive, packed with the owners that they have on the node. */
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../clients/process";
import type { Owner, Owners } from "../../clients/pxar";

/** Part of the archive that is about Docker's content, not a file of the node. */
export const DEFINITIONS = "definitions";

/** Files, links and directories of the node, relative, sorted: directories before what is in them. */
const listPaths = (folder: string): string[] =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.split("/")[0] !== DEFINITIONS)
    .sort();

/** Files and links, relative, sorted. */
export const listFiles = (folder: string): string[] =>
  listPaths(folder).filter((path) => !lstatSync(join(folder, path)).isDirectory());

/** Packs a folder: the workstation's user owns the copy, and on the node all has the owners of the backup. */
export async function writeArchive(folder: string, owners: Owners, archive: string): Promise<void> {
  for (const { owner, paths } of groupByOwner(listPaths(folder), owners)) {
    const ids = [`--owner=${owner.uid}`, `--group=${owner.gid}`, "--numeric-owner"];
    const which = ["-C", folder, "--no-recursion", "--null", "-T", "-"];
    await run({ program: "tar", args: ["-r", "-f", archive, ...ids, ...which] }, paths.join("\0"));
  }
}

interface Group {
  readonly owner: Owner;
  readonly paths: string[];
}

/** Groups neighbours with the same owner. */
function groupByOwner(paths: readonly string[], owners: Owners): Group[] {
  const groups: Group[] = [];
  for (const path of paths) {
    const owner = ownerOf(path, owners);
    const last = groups.at(-1);
    if (last?.owner.uid === owner.uid && last.owner.gid === owner.gid) last.paths.push(path);
    else groups.push({ owner, paths: [path] });
  }
  return groups;
}

function ownerOf(path: string, owners: Owners): Owner {
  const owner = owners.get(path);
  if (owner) return owner;
  throw new Error(`${path}: the archive says no owner of it`);
}

/** Regular files; links are compared by what they name. */
const regularFiles = (folder: string, files: readonly string[]): string[] =>
  files.filter((file) => lstatSync(join(folder, file)).isFile());

/** Digests of files, as `sha256sum --check` reads them. */
export function hashFiles(folder: string, files: readonly string[]): string {
  const checksumOf = (file: string): string =>
    createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex");
  return regularFiles(folder, files)
    .map((file) => `${checksumOf(file)}  ${file}`)
    .join("\n");
}

/** Owners and modes, as `stat -c '%u:%g %a %n'` prints them. */
export function ownersOf(folder: string, files: readonly string[], owners: Owners): string {
  const lineOf = (file: string): string => {
    const { uid, gid, mode } = ownerOf(file, owners);
    return `${uid}:${gid} ${mode.toString(8)} ${file}`;
  };
  return regularFiles(folder, files).map(lineOf).join("\n");
}
