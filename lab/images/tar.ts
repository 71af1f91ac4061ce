/**
 * Tar archives that are the same bytes wherever they are made: owner root, time zero, entries in the
 * order of their names. Only what the lab's images need: directories, files and symbolic links.
 */

export interface TarEntry {
  /** Without a leading slash; at most 100 bytes. */
  path: string;
  mode?: number;
  /** A file has content, a symbolic link a target, a directory neither. */
  content?: Buffer;
  target?: string;
}

const BLOCK = 512;

/** A number as tar writes it: octal, zero-padded, closed by a NUL. */
const toOctal = (value: number, width: number): string =>
  `${value.toString(8).padStart(width - 1, "0")}\0`;

/** The 512 bytes before an entry's content (POSIX ustar). */
function makeHeader(entry: TarEntry): Buffer {
  const type = entry.content ? "0" : entry.target === undefined ? "5" : "2";
  const name = type === "5" ? `${entry.path}/` : entry.path;
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(entry.target ?? "") > 100) {
    throw new Error(`too long for this tar: ${entry.path}`);
  }
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write(toOctal(entry.mode ?? (type === "0" ? 0o644 : type === "2" ? 0o777 : 0o755), 8), 100);
  block.write(toOctal(0, 8) + toOctal(0, 8), 108); // owner and group
  block.write(toOctal(entry.content?.length ?? 0, 12) + toOctal(0, 12), 124); // size and time
  block.write(" ".repeat(8) + type, 148); // the checksum counts itself as blanks
  block.write(entry.target ?? "", 157);
  block.write("ustar\0" + "00", 257); // magic and version
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The parent directories of an entry. */
function parentsOf(path: string): string[] {
  const segments = path.split("/").slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join("/"));
}

/** An archive of the entries; missing parent directories are added. */
export function makeTarball(entries: TarEntry[]): Buffer {
  const all = new Map<string, TarEntry>();
  for (const parent of entries.flatMap(({ path }) => parentsOf(path))) {
    all.set(parent, { path: parent });
  }
  for (const entry of entries) all.set(entry.path, entry);
  const sorted = [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const blocks = sorted.flatMap((entry) => {
    const content = entry.content ?? Buffer.alloc(0);
    return [makeHeader(entry), content, Buffer.alloc(-content.length & (BLOCK - 1))];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}
