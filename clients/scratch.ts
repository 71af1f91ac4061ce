/** Folders for the time of one piece of work. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Works in an empty folder of its own, that nobody else may read, and removes it afterwards.
 * @param name what the work is called, for whoever finds the folder of a killed process: `docker-node-<name>-<pid>-…`
 */
export async function withScratch<T>(
  name: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `docker-node-${name}-${process.pid}-`));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
