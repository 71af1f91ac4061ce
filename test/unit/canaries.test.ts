import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DECLARED } from "../lab/canaries";
import {
  canariesIn,
  formsOf,
  foundBy,
  searchScript,
  unexplained,
  type Search,
} from "../support/canaries";

/** The search for secrets finds them: in every form, in each kind of place, and by name. */

const TOKEN = { name: "token", text: "7c0ffee5-a1b2-4c3d" };
const KEY = { name: "key", text: 'a "quoted" key/+=' };
const all = [TOKEN, KEY];

const folder = mkdtempSync(join(tmpdir(), "docker-node-canaries-"));
const root = join(folder, "root");
const bin = join(folder, "bin");

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

beforeAll(() => {
  mkdirSync(bin);
  mkdirSync(join(root, "secrets"), { recursive: true });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("a text", () => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");

  test.each<[what: string, text: string]>([
    ["as it is", `x${TOKEN.text}y`],
    ["in JSON", JSON.stringify({ key: KEY.text })],
    ["in a URL", `https://example.org/?key=${encodeURIComponent(KEY.text)}`],
    ["in hex digits", Buffer.from(`user:${TOKEN.text}`).toString("hex")],
    ...["", "a", "ab", "abc", "user:"].map((before): [string, string] => [
      `in base64, after "${before}"`,
      `Basic ${base64(`${before}${TOKEN.text}\n`)}`,
    ]),
  ])("%s", (_, text) => {
    expect(canariesIn(text, all)).toHaveLength(1);
  });

  test("that is another is not found", () => {
    expect(canariesIn("7c0ffee5-a1b2-4c3e", all)).toEqual([]);
    expect(canariesIn(base64("7c0ffee5-a1b2-4c3e"), all)).toEqual([]);
    for (const form of formsOf(TOKEN.text)) expect(form.length).toBeGreaterThan(16);
  });
});

/** Runs the script as on a node, with a docker and a journal that say this. */
function search(how: Search): { place: string; canary: string }[] {
  const env = { PATH: `${bin}:${process.env.PATH ?? ""}`, TMPDIR: folder };
  const input = searchScript(all, how);
  const { stdout, stderr, status } = spawnSync("bash", ["-eu"], { input, env, encoding: "utf8" });
  expect([stderr, status]).toEqual(["", 0]);
  return foundBy(stdout, all);
}

describe("on a node", () => {
  test("files, containers, images and the journal are searched", () => {
    writeFileSync(join(root, "secrets/token"), TOKEN.text);
    writeFileSync(join(root, "with space & more"), Buffer.from(`\0\xff${TOKEN.text}\0`, "latin1"));
    writeFileSync(join(root, "innocent"), "nothing");
    program(
      "docker",
      `case "$1 $2" in
  "ps --all") echo agent; echo web ;;
  "inspect agent") echo '["AGENT_SECRET=${TOKEN.text}"]' ;;
  "image ls") echo sha256:1 ;;
  "image history") echo 'ENV KEY=${KEY.text}' ;;
esac`,
    );
    program("journalctl", `echo 'MESSAGE=login with ${TOKEN.text}'`);
    expect(search({ roots: [root] })).toEqual([
      { place: "docker inspect agent", canary: "token" },
      { place: "docker image history", canary: "key" },
      { place: "journal", canary: "token" },
      { place: join(root, "secrets/token"), canary: "token" },
      { place: join(root, "with space & more"), canary: "token" },
    ]);
    expect(readdirSync(folder).sort()).toEqual(["bin", "root"]);
  });

  test("every file system that keeps files is searched, also one in memory", () => {
    for (const name of ["docker", "journalctl"]) program(name, "true");
    const kept = { ext4: "disk", tmpfs: "shm", overlay: "layers", proc: "proc" };
    for (const name of Object.values(kept)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "token"), TOKEN.text);
    }
    // As findmnt of util-linux: the types that are asked for, with commas between them.
    const mounts = Object.entries(kept).map(([type, name]) => `${type} ${join(folder, name)}`);
    program(
      "findmnt",
      `types=$(printf '%s' "$*" | sed 's/.*--types \\([^ ]*\\).*/,\\1,/')
while read -r type name; do case $types in *,$type,*) echo "$name" ;; esac; done <<END
${mounts.join("\n")}
END`,
    );
    expect(search({})).toEqual(
      ["disk", "shm"].map((name) => ({ place: join(folder, name, "token"), canary: "token" })),
    );
  });

  test("arguments and environments of processes are watched", async () => {
    const env = { PATH: process.env.PATH ?? "", SECRET: TOKEN.text };
    const child = spawn("sleep", ["60"], { env });
    await new Promise((resolve) => child.on("spawn", resolve));
    try {
      expect(search({ watch: 1 })).toEqual([{ place: "environ of sleep", canary: "token" }]);
    } finally {
      child.kill();
    }
    expect(search({ watch: 1 })).toEqual([]);
  });
});

test("only what is declared is explained", () => {
  const file = "/var/lib/docker-node/secrets/backup/token";
  const found = [
    { canary: "backupToken", place: file },
    { canary: "backupToken", place: `${file}.new` },
    { canary: "backupKey", place: file },
    { canary: "agentSecret", place: "environ of agent" },
    { canary: "agentSecret", place: "cmdline of agent" },
  ];
  expect(unexplained(found, DECLARED)).toEqual([found[1], found[2], found[4]]);
});
