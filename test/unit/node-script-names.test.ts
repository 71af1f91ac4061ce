import { readdirSync } from "node:fs";
import { join } from "node:path";
import { SCRIPTS, parts } from "../../node/scripts";

const FOLDER = join(__dirname, "../../node");

/** The scripts of a folder of `node/`, without `.sh`. */
const scriptsOf = (folder: string): string[] =>
  readdirSync(join(FOLDER, folder))
    .filter((name) => name.endsWith(".sh"))
    .map((name) => join(folder, name.slice(0, -".sh".length)));

test("every script that can be run is named, and every name is a script or a part of one", () => {
  const files = [...scriptsOf("."), ...scriptsOf("recovery")];
  const used = new Set(SCRIPTS.flatMap((name) => parts(name)));
  expect(files.filter((file) => !used.has(file))).toEqual([]);
  const all = [...files, ...scriptsOf("backup")];
  expect([...used].filter((name) => !all.includes(name))).toEqual([]);
});
