/** A node to run the scripts of `node/` on: a scratch folder for its files, fakes for the programs that would touch a machine. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { partsOf, type ScriptName } from "../../node/scripts";
import { makeScratch } from "./scratch";

// The scripts as a node runs them, `bash -s` with everything on standard input. ROOT_DIR moves their paths into a scratch folder,
// and PATH holds plain tools and test/fixtures/node/commands.sh under the name of every command that would touch a machine.
export const scripts = join(__dirname, "../../node");
export const fixtures = join(__dirname, "../fixtures/node");
const tools =
  "awk basename bash cat chmod cmp comm cp cut dirname echo env find flock grep head mkdir mv paste rm rmdir sed sha256sum sleep sort stat sync tail timeout tr true uniq wc xargs";
const fakes =
  "apt-cache apt-config apt-get apt-mark blkid chown cloud-init curl docker dockerd dpkg dpkg-query findmnt getent gpasswd gpg growpart ip journalctl lsblk mkfs.xfs mount networkctl nft resize2fs resolvectl sshd systemctl systemd-run wipefs xfs_growfs xfs_info";

export const sh = (command: string): string =>
  spawnSync("bash", ["-c", command], { encoding: "utf8" }).stdout.trim();
const python = sh("python3 -c 'import sys; print(sys.executable)'");
const paths = new Map(tools.split(" ").map((tool) => [tool, sh(`type -P ${tool}`)]));

export const quote = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;
const source = (name: string) => readFileSync(join(scripts, `${name}.sh`), "utf8");

/** The scratch folder of the test that runs: `root` is the node's `/`, `fake` the state of the fakes, `bin` its PATH. */
export let home: string;

/** A new node for every test of the file. */
export function useNode(): void {
  beforeEach(() => {
    home = makeScratch();
    for (const folder of ["root/etc", "fake", "bin"])
      mkdirSync(join(home, folder), { recursive: true });
    for (const [tool, path] of paths) symlinkSync(path, join(home, "bin", tool));
    for (const fake of fakes.split(" "))
      symlinkSync(join(fixtures, "commands.sh"), join(home, "bin", fake));
    symlinkSync(python, join(home, "bin/python3"));
  });
  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });
}

export const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), text);
};
export const read = (path: string): string => readFileSync(join(home, path), "utf8");
export const has = (path: string): boolean => existsSync(join(home, path));
/** A path of the node below /etc. */
export const node = (path: string): string => `root/etc/${path}`;
/** Owner of every file here: nothing changes owners in a test. */
export const OWNER = `${process.getuid?.()}:${process.getgid?.()}`;
/** State of the fakes; see test/fixtures/node/commands.sh. */
export const fake = (name: string, text = ""): void => {
  write(`fake/${name}`, text);
};
/** What would have changed a machine, in its order. */
export const changes = (): string[] =>
  has("fake/changes") ? read("fake/changes").trim().split("\n") : [];
export const forget = (): void => {
  rmSync(join(home, "fake/changes"), { force: true });
};

export interface Result {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What standard input of `bash -s` is, and its environment. */
export function session(
  text: string,
  variables: Record<string, string> = {},
): { input: string; env: NodeJS.ProcessEnv } {
  const settings = {
    POLL_SECONDS: "0.02",
    APT_PAUSE: "0",
    HEALTH_TIMEOUT: "1",
    DEVICE_TIMEOUT: "0",
    ...variables,
  };
  const prelude = Object.entries(settings).map(([name, value]) => `${name}=${quote(value)}\n`);
  return {
    input: `printf %s $$ >"$FAKE/pid"\n${prelude.join("")}${text}`,
    env: {
      PATH: join(home, "bin"),
      // A bash whose input is a socket reads ~/.bashrc, as sshd's does.
      HOME: home,
      ROOT_DIR: join(home, "root"),
      FAKE: join(home, "fake"),
      DOCKER_HOST: "tcp://192.0.2.1:2375",
    },
  };
}

export function run(text: string, variables: Record<string, string> = {}): Result {
  const options = { ...session(text, variables), encoding: "utf8" } as const;
  const { status, signal, stdout, stderr } = spawnSync("bash", ["-s"], options);
  return { status, signal, stdout, stderr };
}

/** The text of a script with what goes before it. */
export const textOf = (name: ScriptName): string => partsOf(name).map(source).join("");
export const script = (name: ScriptName, variables: Record<string, string> = {}): Result =>
  run(textOf(name), variables);
/** Commands after the functions that scripts share. */
export const lib = (commands: string, variables: Record<string, string> = {}): Result =>
  run(
    `${source("lib")}\n${source("check")}\n${source("apt")}\n${source("apt-sources")}\n${commands}`,
    variables,
  );

export const done = (result: Result): unknown => {
  expect({ status: result.status, stderr: result.status === 0 ? "" : result.stderr }).toEqual({
    status: 0,
    stderr: "",
  });
  return JSON.parse(result.stdout);
};
export const refused = (result: Result, reason: string | RegExp): void => {
  expect(result.stderr).toMatch(reason);
  expect(result).toMatchObject({ status: 1, stdout: "" });
};
