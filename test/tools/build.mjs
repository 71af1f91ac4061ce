/** Builds `dist/`, what the package holds: JavaScript with its types, and the files beside it that are read at run time. */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const DIST = join(ROOT, "dist");

rmSync(DIST, { recursive: true, force: true });
execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
  cwd: ROOT,
  stdio: "inherit",
});
for (const folder of ["node", "commands"]) {
  const filter = (from) => statSync(from).isDirectory() || !/\.(ts|md)$/.test(from);
  cpSync(join(ROOT, folder), join(DIST, folder), { recursive: true, filter });
}
