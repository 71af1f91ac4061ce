/** Tar archives that are the same bytes each time: owner root, time zero, entries in the order of their names. */
import { buffer } from "node:stream/consumers";
import { pack, type Header } from "tar-stream";

export interface TarEntry {
  /** Without a leading slash. */
  path: string;
  mode?: number;
  /** A file has content, a symbolic link a target, a directory neither. */
  content?: Buffer;
  target?: string;
}

/** The parent directories of an entry. */
function parentsOf(path: string): string[] {
  const segments = path.split("/").slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join("/"));
}

function makeHeader({
  path,
  mode,
  content,
  target,
}: TarEntry): Partial<Header> & Pick<Header, "name"> {
  const common = { name: path, mtime: new Date(0), uid: 0, gid: 0 };
  if (content) return { ...common, type: "file", mode: mode ?? 0o644 };
  if (target === undefined)
    return { ...common, name: `${path}/`, type: "directory", mode: mode ?? 0o755 };
  return { ...common, type: "symlink", mode: mode ?? 0o777, linkname: target };
}

/** An archive of the entries; missing parent directories are added. */
export async function makeTarball(entries: TarEntry[]): Promise<Buffer> {
  const all = new Map<string, TarEntry>();
  for (const parent of entries.flatMap(({ path }) => parentsOf(path))) {
    all.set(parent, { path: parent });
  }
  for (const entry of entries) all.set(entry.path, entry);
  const sorted = [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const archive = pack();
  for (const entry of sorted) archive.entry(makeHeader(entry), entry.content ?? "");
  archive.finalize();
  return buffer(archive);
}
