import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeScratch } from "../support/scratch";

test("the first folder of a run takes away those of a process that is gone, and no other", () => {
  const [gone, running] = [spawnSync("true").pid, process.ppid].map((pid) =>
    join(tmpdir(), `docker-node-test-${pid}-scratch`),
  ) as [string, string];
  for (const folder of [gone, running]) mkdirSync(join(folder, "below"), { recursive: true });
  const mine = makeScratch();
  expect([gone, running, mine].map(existsSync)).toEqual([false, true, true]);
  for (const folder of [running, mine]) rmSync(folder, { recursive: true });
});
