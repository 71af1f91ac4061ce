/** Folders for temporary files of tests. What a run left behind that was killed goes with the next one. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "docker-node-test-";

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes the folders of processes that are gone. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = new RegExp(`^${PREFIX}(\\d+)-`).exec(name) ?? [];
    if (pid !== undefined && !runs(Number(pid)))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

let swept = false;

/** Makes an empty folder. Whoever makes it removes it. */
export function makeScratch(): string {
  if (!swept) sweep();
  swept = true;
  return mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
}
