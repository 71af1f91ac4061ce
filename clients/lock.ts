/** A lock among processes of this machine: a file that names its holder. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds between two looks at a lock that another process holds. */
const PAUSE_MS = 200;

/** Does something while this process holds the lock. It waits for another holder, and takes the lock of one that no longer runs. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  await takeLock(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Takes the lock, unless `done` becomes true first. Returns whether it took the lock.
 *
 * @param limitMs how old a lock may be before its holder is not trusted any more; default: any age
 */
export async function takeLock(
  file: string,
  done: () => boolean = () => false,
  limitMs = Infinity,
): Promise<boolean> {
  while (!done()) {
    if (write(file)) return true;
    if (isAbandoned(file, limitMs)) rmSync(file, { force: true });
    else await sleep(PAUSE_MS);
  }
  return false;
}

function write(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

function isAbandoned(file: string, limitMs: number): boolean {
  try {
    if (Date.now() - statSync(file).mtimeMs > limitMs) return true;
    const holder = Number(readFileSync(file, "utf8"));
    // A new lock is empty until its holder writes its pid.
    if (holder > 0) process.kill(holder, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
