/** Owners and modes in an archive of files (pxar), which only root could extract. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pipe, type Command } from "./process";
import { withScratch } from "./scratch";

/** Who owns a file of the archive, and who may do what with it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Permissions, with set-user-ID, set-group-ID and sticky. */
  readonly mode: number;
}

/** Owners of files, links and directories, by their paths below the archive's root. */
export type Owners = ReadonlyMap<string, Owner>;

/** @param from the program that writes the archive to its standard output */
export const readOwners = (from: Command): Promise<Owners> =>
  withScratch("owners", async (folder) => {
    const file = join(folder, "archive");
    await pipe(from, { program: "dd", args: [`of=${file}`, "status=none"] });
    return parseOwners(readFileSync(file));
  });

/** Types of items (https://git.proxmox.com/?p=pxar.git, src/format/mod.rs). Each has a type and a size before its content. */
const ITEM = {
  entry: 0xd5956474e588acefn,
  earlierEntry: 0x11da850a1c1cceffn,
  filename: 0x16701121063917b3n,
  hardlink: 0x51269c8422bd7275n,
  goodbye: 0x2fec4fa642d5731dn,
} as const;

const HEADER_BYTES = 16;
const PERMISSIONS = 0o7777;
const TYPE = 0o170000;
const DIRECTORY = 0o040000;

/** @throws Error when it is no archive of files, or not whole */
export function parseOwners(archive: Buffer): Owners {
  const owners = new Map<string, Owner>();
  const folders: string[] = [];
  let path = "";
  for (const { type, content } of itemsOf(archive)) {
    if (type === ITEM.filename) path = join(folders.at(-1) ?? "", textOf(content));
    else if (type === ITEM.goodbye) folders.pop();
    else if (type === ITEM.hardlink) setLike(owners, path, textOf(content.subarray(8)));
    else if (type === ITEM.entry || type === ITEM.earlierEntry) {
      const mode = Number(content.readBigUInt64LE(0));
      if ((mode & TYPE) === DIRECTORY) folders.push(path);
      const [uid, gid] = [content.readUInt32LE(16), content.readUInt32LE(20)];
      owners.set(path, { uid, gid, mode: mode & PERMISSIONS });
    }
  }
  if (owners.size === 0 || folders.length > 0) throw new Error(INCOMPLETE);
  return owners;
}

const INCOMPLETE = "the archive of files is not whole, or is none (pxar)";

function* itemsOf(archive: Buffer): Generator<{ type: bigint; content: Buffer }> {
  for (let at = 0; at < archive.length;) {
    if (at + HEADER_BYTES > archive.length) throw new Error(INCOMPLETE);
    const size = Number(archive.readBigUInt64LE(at + 8));
    if (size < HEADER_BYTES || at + size > archive.length) throw new Error(INCOMPLETE);
    const content = archive.subarray(at + HEADER_BYTES, at + size);
    yield { type: archive.readBigUInt64LE(at), content };
    at += size;
  }
}

/** A text that ends with a zero byte. */
const textOf = (content: Buffer): string => content.subarray(0, -1).toString();

function setLike(owners: Map<string, Owner>, path: string, other: string): void {
  const owner = owners.get(other);
  if (owner) owners.set(path, owner);
}
