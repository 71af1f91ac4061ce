/** A platform's recovery with real files: node/recovery/platform.sh runs here, below a scratch directory. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { renderScript, type ScriptName } from "../../node/scripts";
import { planPlatform } from "../../commands/restore/platform";
import { pipe, run } from "../../clients/process";
import { perform } from "../../commands/restore/perform";
import type { Outcome } from "../../commands/restore/steps";
import { FakeSite } from "../support/recovery";

const SAVED = "var/lib/docker-node/recovery/platform-2026-01-31T100000Z.tar";

let home: string;
let site: FakeSite;
let printed: string[];
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), "recovery-"));
  printed = [];
  site = new FakeSite();
  site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", {
    "etc/docker/daemon.json": '{"bip":"172.18.0.1/24"}',
    "etc/docker/certs.d/registry/ca.crt": "PEM",
    "etc/apt/preferences.d/docker-node": "pin",
    "definitions/containers.json": [],
  });
  fake("systemctl", 'echo "systemctl $*" >>"$FAKE/calls"');
  fake("dockerd", "case $* in --help) echo --validate ;; *) [[ ! -e $FAKE/invalid ]] ;; esac");
  fake("docker", '[[ ! -e $FAKE/silent ]] || ! grep -q 172 "$ROOT_DIR/etc/docker/daemon.json"');
  fake("journalctl", "echo the journal");
  const { script } = site.shell;
  Object.assign(site.shell, {
    script: async (name: ScriptName, variables: Record<string, string>) => {
      const answer = await script(name, variables);
      if (name !== "recovery/platform") return answer;
      const text = renderScript(name, { ...variables, HEALTH_TIMEOUT: 0 });
      return (await run({ program: "bash", args: ["-s"], env: env() }, text)).trim();
    },
    feed: (command: string[], from: Parameters<typeof pipe>[0]) => {
      const [program = "", ...args] = command.map((word) => (word === "/" ? root("") : word));
      return pipe(from, { program, args });
    },
  });
});
afterEach(() => {
  fs.rmSync(home, { recursive: true, force: true });
});

const root = (path: string): string => join(home, "root", path);
const env = (): Record<string, string> => ({
  PATH: [join(home, "bin"), process.env["PATH"] ?? ""].join(delimiter),
  FAKE: home,
  ROOT_DIR: root("").replace(/\/$/, ""),
  POLL_SECONDS: "0.01",
});
function fake(name: string, text: string): void {
  fs.mkdirSync(join(home, "bin"), { recursive: true });
  fs.writeFileSync(join(home, "bin", name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
}
function put(path: string, text: string): void {
  fs.mkdirSync(join(root(path), ".."), { recursive: true });
  fs.writeFileSync(root(path), text);
}
const read = (path: string): string => fs.readFileSync(root(path), "utf8");
const tree = (): string[] =>
  fs
    .readdirSync(root("etc"), { recursive: true, withFileTypes: true })
    .filter((one) => !one.isDirectory())
    .map((one) => join(one.parentPath, one.name).slice(root("etc/").length))
    .sort();

async function restore(): Promise<Outcome> {
  const recovery = await planPlatform(site, join(home, "scratch"));
  return perform(recovery, (line) => printed.push(line), { now: site.now });
}

const before = (): void => {
  put("etc/docker/daemon.json", '{"debug":true}');
  put("etc/docker/only-here", "x");
  put("etc/hostname", "node");
};

test("wiped files come back, docker is restarted with them, checksums are equal", async () => {
  put("etc/hostname", "node");
  fs.chmodSync(root("etc"), 0o711);
  expect(await restore()).toMatchObject({ ok: true });
  expect(tree()).toEqual([
    "apt/preferences.d/docker-node",
    "docker/certs.d/registry/ca.crt",
    "docker/daemon.json",
    "hostname",
  ]);
  expect(read("etc/docker/daemon.json")).toBe('{"bip":"172.18.0.1/24"}');
  expect(fs.statSync(root("etc")).mode & 0o777).toBe(0o711);
  expect(fs.statSync(root("etc/docker/daemon.json"))).toMatchObject({
    uid: process.getuid?.(),
  });
  expect(fs.readFileSync(join(home, "calls"), "utf8")).toContain(
    "systemctl restart docker.service",
  );
  expect(printed.join("\n")).toContain(
    "3 files have the checksums, owners and modes of the backup",
  );
});

test("what was replaced is kept, all of /etc/docker with it", async () => {
  before();
  expect(await restore()).toMatchObject({ ok: true });
  expect(read("etc/docker/only-here")).toBe("x");
  const kept = await run({ program: "tar", args: ["-t", "-f", root(SAVED)] });
  expect(kept.trim().split("\n").sort()).toEqual([
    "etc/docker/",
    "etc/docker/daemon.json",
    "etc/docker/only-here",
  ]);
  expect(fs.statSync(root(SAVED)).mode & 0o777).toBe(0o600);
});

test.each([
  ["a daemon.json that is not valid", "invalid", /backed-up daemon.json is not valid/],
  ["a docker that stays silent with it", "silent", /does not answer\n.*the journal/],
])("%s is taken back, file by file", async (_, file, message) => {
  before();
  fs.writeFileSync(join(home, file), "");
  const outcome = await restore();
  expect(outcome.error).toMatch(message);
  expect(outcome.error).toMatch(/state: as it was before/);
  expect(tree()).toEqual(["docker/daemon.json", "docker/only-here", "hostname"]);
  expect(read("etc/docker/daemon.json")).toBe('{"debug":true}');
});

test("a file that did not arrive whole is found", async () => {
  const { feed } = site.shell;
  Object.assign(site.shell, {
    feed: async (...args: Parameters<typeof feed>) => {
      const answer = await feed(...args);
      put("etc/docker/certs.d/registry/ca.crt", "PE");
      return answer;
    },
  });
  expect((await restore()).error).toMatch(
    /not as backed up\netc\/docker\/certs.d\/registry\/ca.crt: FAILED/,
  );
  expect(fs.existsSync(root("etc/docker/certs.d/registry/ca.crt"))).toBe(false);
});

const CA = "etc/docker/certs.d/registry/ca.crt";

test("files go to the node with the owners of the backup", async () => {
  site.owned[CA] = { uid: 998, gid: 4321, mode: 0o644 };
  let listed = "";
  Object.assign(site.shell, {
    feed: async (_: string[], from: Parameters<typeof pipe>[0]) => {
      listed = await pipe(from, { program: "tar", args: ["-tv", "--numeric-owner"] });
    },
  });
  await restore();
  expect(listed).toMatch(new RegExp(`^-rw-r--r-- 998/4321 .* ${CA}$`, "m"));
  const others = `${process.getuid?.() ?? 0}/${process.getgid?.() ?? 0}`;
  expect(listed).toMatch(new RegExp(`^-rw-r--r-- ${others} .* etc/docker/daemon.json$`, "m"));
  expect(listed).not.toContain("definitions");
});

test("a file that has another mode than in the backup is found", async () => {
  site.owned[CA] = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o640 };
  expect((await restore()).error).toMatch(
    /not owned as backed up, or with other modes\n[^]*644 etc\/docker\/certs.d\/registry\/ca.crt/,
  );
  expect(fs.existsSync(root(CA))).toBe(false);
});
