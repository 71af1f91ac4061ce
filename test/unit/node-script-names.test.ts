import { readdirSync } from "node:fs";
import { join } from "node:path";
import { SCRIPTS, partsOf } from "../../node/scripts";

const FOLDER = join(__dirname, "../../node");

/** The scripts below `node/`, without `.sh`. */
const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".sh"))
  .map((name) => name.slice(0, -".sh".length));

test("every script that can be run is named, and every name is a script or a part of one", () => {
  const used = new Set(SCRIPTS.flatMap((name) => partsOf(name)));
  // What is in backup/ goes into the image of the backup container.
  const alone = files.filter((file) => !used.has(file) && !file.startsWith("backup/"));
  expect(alone).toEqual([]);
  expect([...used].filter((name) => !files.includes(name))).toEqual([]);
});
