/**
 * What is pulled by digest has no tag, as the agent and the backup container have none. The client of Docker 29 leaves such
 * images out of its list unless it is asked for all (docker/cli, cli/command/image/list.go).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderScript } from "../../node/scripts";

const DOCKER = `#!/bin/bash
shift 2
case "$*" in
  info*) echo /var/lib/docker ;;
  "image ls "*" --all"* | "image ls --all "*) printf '%s\\n' sha256:tagged sha256:untagged ;;
  "image ls "*) echo sha256:tagged ;;
  "inspect --type image "*) printf '[%s]' "$(printf '"%s",' "\${@:4}" | sed 's/,$//')" ;;
  "image inspect "*) printf '%s\\n' "\${@:5}" ;;
esac
`;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "untagged-"));
  writeFileSync(join(home, "docker"), DOCKER, { mode: 0o755 });
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

function said(script: string): string {
  const env = { PATH: `${home}:${process.env.PATH ?? ""}` };
  const { stdout, stderr } = spawnSync("bash", ["-s"], { input: script, env, encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout;
}

test("the inventory has images without a tag", () => {
  const { images } = JSON.parse(said(renderScript("recovery/inventory", {}))) as {
    images: string[];
  };
  expect(images).toEqual(["sha256:tagged", "sha256:untagged"]);
});

test("so has what an import looks at", () => {
  const script = readFileSync(join(__dirname, "../../commands/import/inspect.sh"), "utf8");
  const images = /^images (.*)$/m.exec(said(`NODE_USER=root\n${script}`))?.[1] ?? "";
  expect(Buffer.from(images, "base64").toString().trim().split("\n")).toEqual([
    "sha256:tagged",
    "sha256:untagged",
  ]);
});

test("no script lists images without asking for all", () => {
  const folders = ["node", "commands"].map((folder) => join(__dirname, "../..", folder));
  const scripts = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".sh"))
      .map((path) => join(folder, path)),
  );
  const listing = scripts.filter((path) => /image ls/.test(readFileSync(path, "utf8")));
  expect(listing.length).toBeGreaterThan(3);
  const partly = listing.filter((path) => /image ls (?!--all)/.test(readFileSync(path, "utf8")));
  expect(partly).toEqual([]);
});
