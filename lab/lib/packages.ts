/** Debian's packages unpacked, for single programs: nothing of them is installed, and none of their services starts. */
import * as fs from "node:fs";
import * as path from "node:path";

import { run } from "./run";

/** Options for an apt with package lists of its own, for hosts that keep none. */
function privateLists(directory: string): string[] {
  fs.mkdirSync(path.join(directory, "lists", "partial"), { recursive: true });
  fs.mkdirSync(path.join(directory, "archives", "partial"), { recursive: true });
  return ["-o", `Dir::State=${directory}`, "-o", `Dir::Cache=${directory}`];
}

/** Downloads packages through apt and unpacks them below a directory; returns where. */
export async function unpackPackages(names: readonly string[], directory: string): Promise<string> {
  const options = { cwd: directory, env: { LC_ALL: "C" } };
  const download = ["download", ...names];
  await run("apt-get", download, options).catch(async () => {
    const lists = privateLists(path.join(directory, "apt"));
    await run("apt-get", [...lists, "update"], options);
    await run("apt-get", [...lists, ...download], options);
  });
  const files = fs.readdirSync(directory).filter((name) => name.endsWith(".deb"));
  if (files.length !== names.length)
    throw new Error(`apt-get download ${names.join(" ")} brought ${files.join(" ") || "nothing"}`);
  for (const file of files) {
    await run("dpkg-deb", ["-x", file, "root"], options);
    fs.rmSync(path.join(directory, file));
  }
  return path.join(directory, "root");
}
