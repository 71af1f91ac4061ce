import { spawnSync } from "node:child_process";
import * as path from "node:path";

/** How the lab compiles a module. With the same settings Go finds what is compiled already. */
export interface GoSettings {
  readonly flags: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Expects that `go vet` finds nothing in a module, and that its own tests pass. */
export function expectGoodGo(module: string, { flags, env }: GoSettings): void {
  const cwd = path.join(__dirname, "../..", module);
  const options = { cwd, env: { ...process.env, ...env }, encoding: "utf8" } as const;
  for (const words of [["vet"], ["test", "-count=1"]]) {
    const { status, stdout, stderr } = spawnSync("go", [...words, ...flags, "./..."], options);
    expect({ words, status, stdout, stderr }).toMatchObject({ words, status: 0 });
  }
}
