/** Programs of the operating system that the lab needs. */
import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "./run";
import type { Log } from "./service";

export interface Prerequisite {
  /** The program, as found on the PATH, or a file by its absolute path. */
  readonly command: string;
  /** The Debian package that has it. */
  readonly package: string;
}

/**
 * Makes sure that every program is installed. As root it installs missing ones.
 * @throws Error with the exact command if this user may not install them
 */
export async function ensurePrerequisites(
  wanted: readonly Prerequisite[],
  log: Log,
): Promise<void> {
  const missing = wanted.filter(({ command }) => !onPath(command));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((p) => p.package))].sort();
  const install = `apt-get install --yes --no-install-recommends ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || !onPath("apt-get")) {
    const names = missing.map((p) => p.command).join(", ");
    throw new Error(`missing programs: ${names}\n  install them: sudo ${install}`);
  }
  log(`installing ${packages.join(", ")} (about 1 min)`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "--quiet"], { env });
  await run("apt-get", install.split(" ").slice(1), { env });
}

function onPath(command: string): boolean {
  if (path.isAbsolute(command)) return fs.existsSync(command);
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => fs.existsSync(path.join(folder, command)));
}
