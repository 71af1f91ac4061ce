/**
 * The cache. It keeps results that take long to make and are the same every time (programs, images, downloads) in one
 * directory outside the repository. Their names change with their sources.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { takeLock } from "../../clients/lock";

/** How old a lock may be before waiters stop trusting its holder. */
const LOCK_LIMIT_MS = 60 * 60 * 1000;

/** Returns a path in the cache: below `DOCKER_NODE_CACHE`, or the user's cache directory. It creates nothing. */
export function cacheDir(...parts: string[]): string {
  const user = process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache");
  const root = process.env["DOCKER_NODE_CACHE"] || path.join(user, "docker-node");
  return path.resolve(root, ...parts);
}

/** The files below `root`, sorted, as paths relative to it ("" for a file itself). Tests of Go code are part of no result. */
function filesBelow(root: string, relative = ""): string[] {
  const full = path.join(root, relative);
  if (!fs.statSync(full).isDirectory()) return [relative];
  const names = fs
    .readdirSync(full)
    .filter((name) => !/^(node_modules|\.git|__pycache__|\.\w+_cache|\w+_test\.go)$/.test(name));
  return names.sort().flatMap((name) => filesBelow(root, path.join(relative, name)));
}

/**
 * A short hash of files and directories. It covers names, contents and executable bits, but not their location or time.
 * `extra` adds anything else that the result depends on.
 */
export function contentHash(paths: string[], ...extra: string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(extra));
  for (const root of paths) {
    for (const relative of filesBelow(root)) {
      const file = path.join(root, relative);
      const content = fs.readFileSync(file);
      const executable = (fs.statSync(file).mode & 0o100) !== 0;
      const name = path.join(path.basename(root), relative);
      hash.update(JSON.stringify([name, executable, content.length])).update(content);
    }
  }
  return hash.digest("hex").slice(0, 20);
}

/** Removes files of interrupted builds next to `dir`. */
function removeLeftovers(dir: string): void {
  const prefix = `${path.basename(dir)}.`;
  for (const name of fs.readdirSync(path.dirname(dir))) {
    const builder = name.startsWith(prefix) && /^(\d+)\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (!builder || fs.existsSync(`/proc/${builder}`)) continue;
    fs.rmSync(path.join(path.dirname(dir), name), { recursive: true, force: true });
  }
}

/**
 * Runs `build` in an empty directory and moves the result to `dir`, once. Later calls return at once, and concurrent ones
 * wait for the first. A failed build leaves nothing. The lock only saves work; the rename makes sure that `dir` is complete
 * or absent.
 */
export async function buildOnce(
  dir: string,
  build: (into: string) => void | Promise<void>,
): Promise<string> {
  const isDone = (): boolean => fs.existsSync(dir);
  if (isDone()) return dir;
  fs.mkdirSync(path.dirname(dir), { recursive: true });
  if (!(await takeLock(`${dir}.lock`, isDone, LOCK_LIMIT_MS))) return dir;
  const temporary = `${dir}.${process.pid}.tmp`;
  try {
    removeLeftovers(dir);
    fs.mkdirSync(temporary);
    await build(temporary);
    if (!isDone()) fs.renameSync(temporary, dir);
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
    fs.rmSync(`${dir}.lock`, { force: true });
  }
  return dir;
}
