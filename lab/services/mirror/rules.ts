/** The requests that the mirror answers. It refuses all others. */

export const ARCHIVES = ["debian", "debian-security"] as const;
export type Archive = (typeof ARCHIVES)[number];

/** A file of a Debian archive. */
export interface ArchiveFile {
  kind: "archive";
  archive: Archive;
  /** Below the archive's root: `pool/…` or `dists/…`, decoded. */
  path: string;
  /** The content of this path never changes: packages, and indices that are named by their hash. */
  immutable: boolean;
}

/** A file of the lab itself. */
export interface LabFile {
  kind: "file";
  name: string;
}

/** A file of the lab's copy of Docker's repository: any path below `/docker/`. */
export interface DockerFile {
  kind: "docker";
  path: string;
}

export interface Refusal {
  kind: "refused";
  status: number;
  reason: string;
}

export type Route = ArchiveFile | LabFile | DockerFile | Refusal;

/** One path segment: what archive paths and file names are made of, and no dot first. */
const SEGMENT = /^[\w+~:@-][\w.+~:@-]*$/;
const PACKAGE = /\.(deb|udeb|dsc|asc|diff\.gz|(tar\.(gz|xz|bz2|lzma|zst)))$/;
const BY_HASH = /\/by-hash\/(MD5Sum|SHA1|SHA256|SHA512)\/[0-9a-f]{32,128}$/;
const INDEX =
  /\/(InRelease|Release(\.gpg)?|(Packages|Sources|Index|Contents-[\w-]+|Translation-[\w@.]+?|Components-\w+\.yml|Commands-\w+)(\.(gz|xz|bz2|zst))?)$/;

const refuse = (status: number, reason: string): Refusal => ({ kind: "refused", status, reason });

/** The decoded segments of a request target, or nothing when it is not a plain absolute path. */
function segmentsOf(target: string): string[] | undefined {
  if (!target.startsWith("/") || target.length > 1024) return undefined;
  try {
    // Decoded one by one, so that an encoded slash or a dot-dot is seen for what it is.
    const segments = target.slice(1).split("/").map(decodeURIComponent);
    return segments.every((segment) => SEGMENT.test(segment)) ? segments : undefined;
  } catch {
    return undefined;
  }
}

/** What a request line asks for. */
export function route(method: string, target: string): Route {
  if (method !== "GET" && method !== "HEAD") return refuse(405, "only GET and HEAD are answered");
  const segments = segmentsOf(target);
  if (!segments) return refuse(400, "only plain paths are answered; this is no proxy");
  const [top, ...rest] = segments;
  if (top === "files" && rest.length === 1) return { kind: "file", name: rest[0] as string };
  const archive = ARCHIVES.find((name) => name === top);
  const path = rest.join("/");
  if (top === "docker" && path) return { kind: "docker", path };
  if (!archive) return refuse(404, "not in this mirror");
  if (rest[0] === "pool" && PACKAGE.test(path)) {
    return { kind: "archive", archive, path, immutable: true };
  }
  if (rest[0] === "dists" && (INDEX.test(path) || BY_HASH.test(path))) {
    return { kind: "archive", archive, path, immutable: BY_HASH.test(path) };
  }
  return refuse(404, "only packages (pool/) and indices (dists/) are mirrored");
}

/** The SHA-256 a path promises its content to have, if it does. */
export function promisedHash(path: string): string | undefined {
  return /\/by-hash\/SHA256\/([0-9a-f]{64})$/.exec(path)?.[1];
}
