import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

// The scripts of the backup container as they are, with test/fixtures/backup/commands.sh under the names of the programs they use.
jest.setTimeout(60_000);
const SCRIPTS = join(__dirname, "../../node/backup");
const FIXTURES = join(__dirname, "../fixtures/backup");
const TOOLS =
  "basename bash cat chmod cp cut date df dirname du env find flock grep head jq mkdir mv readlink rm sed setpriv sh sha256sum sleep sort stat sync tail tar timeout touch true wc xargs";
const FAKES = "docker mountpoint proxmox-backup-client supercronic";
const SECRET = "token-secret";
const REFUSED =
  "error trying to connect: error connecting to https://pbs:8007/ - tcp connect error: Connection refused (os error 111)";

const which = (tool: string): string =>
  spawnSync("bash", ["-c", `type -P ${tool}`], { encoding: "utf8" }).stdout.trim();
const paths = new Map(TOOLS.split(" ").map((tool) => [tool, which(tool)]));

let home: string;
const write = (file: string, content: unknown): void => {
  mkdirSync(dirname(join(home, file)), { recursive: true });
  writeFileSync(join(home, file), typeof content === "string" ? content : JSON.stringify(content));
};
const read = (file: string): string => readFileSync(join(home, file), "utf8");
const json = (file: string): unknown => JSON.parse(read(file));
const has = (file: string): boolean => existsSync(join(home, file));
const fake = (file: string, content: unknown = ""): void => {
  write(`fake/${file}`, content);
};
const changes = (): string[] =>
  has("fake/changes") ? read("fake/changes").trim().split("\n") : [];
const forget = (): void => {
  rmSync(join(home, "fake/changes"), { force: true });
};

interface ContainerOptions {
  readonly volumes?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly running?: boolean;
  readonly autoRemove?: boolean;
}

/** A container as docker shows it. */
const container = (Id: string, options: ContainerOptions = {}): object => ({
  Id,
  Name: `/${Id}-name`,
  Image: "sha256:one",
  State: { Running: options.running ?? true, Paused: false, Health: { Log: [Math.random()] } },
  HostConfig: { AutoRemove: options.autoRemove ?? false },
  Config: { Image: "registry/one:1@sha256:abc", Labels: options.labels ?? {}, Env: ["PASSWORD=x"] },
  Mounts: (options.volumes ?? []).map((Name) => ({ Type: "volume", Name })),
  NetworkSettings: {
    Networks: { bridge: { IPAddress: `10.0.0.${Math.ceil(Math.random() * 9)}` } },
  },
});

const labels = (names: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(names).map(([name, value]) => [`docker-node.backup.${name}`, value]),
  );

interface VolumeOptions {
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly options?: Readonly<Record<string, string>> | null;
  readonly driver?: string;
}

/** Volumes with a file each; docker knows them. */
function volumes(wanted: Record<string, VolumeOptions>): void {
  const known = Object.entries(wanted).map(([Name, { labels: own, options, driver }]) => {
    write(`volumes/${Name}/_data/file`, `content of ${Name}`);
    return {
      Name,
      Driver: driver ?? "local",
      Mountpoint: `/var/lib/docker/231072.231072/volumes/${Name}/_data`,
      Labels: own ?? null,
      Options: options ?? null,
    };
  });
  fake("volumes.json", known);
}
const containers = (...list: object[]): void => {
  fake("containers.json", list);
};

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "docker-node-backup-"));
  mkdirSync(join(home, "bin"));
  for (const [tool, path] of paths) symlinkSync(path, join(home, "bin", tool));
  for (const name of FAKES.split(" "))
    symlinkSync(join(FIXTURES, "commands.sh"), join(home, "bin", name));
  symlinkSync(join(SCRIPTS, "backup.sh"), join(home, "bin/backup"));
  write("secrets/token", SECRET);
  write("secrets/key.json", "{}");
  write("host/etc/docker/daemon.json", "{}");
  write("host/etc/subuid", "dockremap:231072:65536\n");
  write("mountinfo", "");
  volumes({ data: {} });
  containers();
  fake("images.json", [
    {
      Id: "sha256:one",
      RepoTags: ["registry/one:1"],
      RepoDigests: ["registry/one@sha256:abc"],
      Size: 10,
    },
    { Id: "sha256:two", RepoTags: [], RepoDigests: [], Size: 10 },
  ]);
  fake("networks.json", [{ Id: "n1", Name: "bridge", Containers: {} }]);
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  PATH: join(home, "bin"),
  FAKE: join(home, "fake"),
  STATE_DIR: join(home, "state"),
  VOLUMES_DIR: join(home, "volumes"),
  HOST_DIR: join(home, "host"),
  SECRETS_DIR: join(home, "secrets"),
  MOUNTINFO: join(home, "mountinfo"),
  NODE_NAME: "node1",
  PBS_REPOSITORY: "backup@pbs!node1@pbs:8007:docker",
  PBS_FINGERPRINT: "AA",
  SCHEDULE_VOLUMES: "30 2 * * *",
  SCHEDULE_CONFIGURATION: "45 2 * * *",
  SCHEDULE_IMAGES: "0 3 * * 0",
  CONFIGURATION_PATHS: "",
  RETRY_PAUSE: "0",
  LOCK_WAIT: "1",
  ...more,
});

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function script(name: string, args: string[] = [], more: Record<string, string> = {}): Result {
  const { status, stdout, stderr } = spawnSync(join(SCRIPTS, `${name}.sh`), args, {
    env: environment(more),
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}
const backup = (...args: string[]): Result => script("backup", args);

interface Item {
  kind: string;
  result: string;
  lastGood: string | null;
  snapshot: string | null;
  error: string | null;
  lastTry: string;
  bytes: number | null;
  seconds: number;
  waits?: string;
  incomplete?: string;
}
const status = (): Record<string, Item> =>
  (json("state/status.json") as { items: Record<string, Item> }).items;

/** Starts a run whose upload hangs, and waits until it does. */
async function hanging(): Promise<{ pid: number; ended: Promise<number | null> }> {
  fake("hang");
  const child = spawn(join(SCRIPTS, "backup.sh"), ["volumes"], {
    env: environment(),
    stdio: "ignore",
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  for (let waited = 0; !has("fake/hanging") && waited < 3000; waited++) await sleep(20);
  expect(has("fake/hanging")).toBe(true);
  rmSync(join(home, "fake/hang"));
  return { pid: child.pid ?? 0, ended };
}

describe("volumes", () => {
  test("each has a backup of its own, with its description", () => {
    containers(container("web", { volumes: ["data"] }));
    volumes({ data: { labels: { purpose: "lab" } }, "0a1b2c": {} });
    expect(backup("volumes")).toMatchObject({ status: 0 });
    expect(changes()).toEqual(["backup data", "backup 0a1b2c"]);
    expect(read("fake/store/node1/volumes/data/data.pxar/file")).toBe("content of data");
    expect(json("fake/store/node1/volumes/data/meta.conf")).toEqual({
      volume: "data",
      driver: "local",
      labels: { purpose: "lab" },
      options: {},
      owners: ["web-name"],
      consistency: "none",
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(json("fake/store/node1/volumes/0a1b2c/meta.conf")).toMatchObject({ owners: [] });
  });

  test("are uploaded encrypted to the node's namespace, and the time names the snapshot", () => {
    expect(backup("volumes").status).toBe(0);
    const call =
      read("fake/calls")
        .split("\n")
        .find((line) => line.includes("client backup ")) ?? "";
    expect(call).toContain("--ns node1/volumes --backup-type host --backup-id data --backup-time ");
    expect(call).toContain(`--keyfile ${home}/secrets/key.json --crypt-mode encrypt`);
    const [, time] = /--backup-time (\d+)/.exec(call) ?? [];
    const stamp = new Date(Number(time) * 1000).toISOString().replace(".000Z", "Z");
    expect(status()["volume/data"]?.snapshot).toBe(`host/data/${stamp}`);
  });

  test("the digest is the one that a restore computes", () => {
    backup("volumes");
    const volume = readFileSync(join(SCRIPTS, "digest.sh"), "utf8");
    const [, text = ""] = /(tree_digest\(\) \{[\s\S]*?\n\})/.exec(volume) ?? [];
    const tree = join(home, "fake/store/node1/volumes/data/data.pxar");
    const found = spawnSync("bash", ["-c", `${text}; tree_digest ${tree}`], { encoding: "utf8" });
    expect(json("fake/store/node1/volumes/data/meta.conf")).toMatchObject({
      digest: found.stdout.trim(),
    });
  });

  test("no digest if .pxarexclude keeps files out of the archive", () => {
    write("volumes/data/_data/deep/.pxarexclude", "*.tmp\n");
    expect(backup("volumes").status).toBe(0);
    expect(json("fake/store/node1/volumes/data/meta.conf")).toMatchObject({
      digest: null,
      excludes: "deep/.pxarexclude",
    });
    expect(status()["volume/data"]).toMatchObject({ result: "ok", excludes: "deep/.pxarexclude" });
  });

  test("fail if the client could not read files, are told which, and wait for their schedule; one that vanished is fine", () => {
    const vanished = 'warning: file vanished while reading: "/volumes/data/_data/tmp"\n';
    fake("said", vanished);
    expect(backup("volumes").status).toBe(0);
    const good = status()["volume/data"]?.snapshot;
    const denied = ["a b", "c", "d", "e"].map(
      (name) => `failed to open file: "${name}": access denied\n`,
    );
    fake("said", vanished + denied.join(""));
    const before = Math.floor(Date.now() / 1000);
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/data"]).toMatchObject({
      ...{ result: "failed", snapshot: good, waits: "later" },
      incomplete: expect.stringMatching(/^host\/data\//) as string,
      error: '4 files could not be read and are not in the backup: "a b", "c", "d"',
    });
    expect(
      Date.parse(status()["volume/data"]?.incomplete?.slice(10) ?? "") / 1000,
    ).toBeGreaterThanOrEqual(before);
    forget();
    backup("catch-up");
    expect(changes()).not.toContain("backup data");
    fake("said");
    expect(backup("volumes").status).toBe(0);
    expect(status()["volume/data"]).not.toHaveProperty("incomplete");
  });

  test("the files of one that cannot be read keep no other volume of the container from its backup", () => {
    volumes({ a: {}, b: {} });
    write("volumes/a/_data/.pxarexclude", "x");
    containers(container("db", { volumes: ["a", "b"], labels: labels({ consistency: "stop" }) }));
    fake("said", 'failed to open file: "x": access denied\n');
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toContain("backup b");
  });

  test("are left out by a label, and forgotten when they are gone", () => {
    volumes({ data: {}, other: {}, scratch: { labels: { "docker-node.backup": "false" } } });
    backup("volumes");
    expect(Object.keys(status())).toEqual(["volume/data", "volume/other"]);
    volumes({ data: {} });
    backup("volumes");
    expect(Object.keys(status())).toEqual(["volume/data"]);
  });

  test("that are removed after the listing or during the backup are no failure", () => {
    volumes({ data: {}, temporary: {} });
    fake("vanished", "restoring\n");
    fake("taken-away", "temporary");
    const { status: code, stderr } = backup("volumes");
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining("volume/temporary: gone before it was backed up") as unknown,
    });
    expect(Object.keys(status())).toEqual(["volume/data"]);
    expect(read("fake/calls")).not.toContain("--backup-id restoring");
  });

  test("file systems mounted below are included, and only those", () => {
    const below = join(home, "volumes/data/_data/disk two");
    write(
      "mountinfo",
      `1 1 8:1 / / rw - x x rw\n2 1 8:2 / ${below.replace(" ", "\\040")} rw - x x rw\n`,
    );
    backup("volumes");
    expect(read("fake/calls")).toContain(`--include-dev ${below} --ns`);
  });

  test("with another driver, or a place that the container cannot see, fail by name; the others are backed up", () => {
    volumes({ cloud: { driver: "rexray" }, data: {} });
    rmSync(join(home, "volumes/data"), { recursive: true });
    write("volumes/good/_data/file", "x");
    fake("volumes.json", [
      ...(json("fake/volumes.json") as object[]),
      { Name: "good", Driver: "local", Mountpoint: "/d/volumes/good/_data" },
    ]);
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/cloud"]).toMatchObject({ result: "failed", lastGood: null });
    expect(status()["volume/cloud"]?.error).toMatch(/^driver rexray keeps its data elsewhere/);
    expect(status()["volume/data"]?.error).toMatch(/data\/_data is not there$/);
    expect(status()["volume/good"]).toMatchObject({ result: "ok", error: null });
  });

  test("with mount options are mounted until the backup ends", () => {
    volumes({ nfs: { options: { type: "nfs", device: ":/export", o: "addr=10.25.20.9" } } });
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual(["run", "backup nfs", "rm holder"]);
    expect(read("fake/calls")).toMatch(
      /run --detach --rm .*--cap-drop ALL --volume nfs:\/held:ro --entrypoint sleep sha256:backup/,
    );
  });

  test("that a running container mounts need no helper container", () => {
    volumes({ nfs: { options: { type: "nfs", device: ":/export" } } });
    fake("mounted");
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual(["backup nfs"]);
  });

  test("a volume with a quota needs no mount", () => {
    volumes({ data: { options: { o: "size=10G" } } });
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual(["backup data"]);
  });
});

describe("consistency", () => {
  test("stop: pre, stop, backup, start, post", () => {
    const own = labels({ consistency: "stop", pre: "db flush", post: "db resume" });
    containers(container("db", { volumes: ["data"], labels: own }), container("other"));
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual([
      "exec db: db flush",
      "stop db",
      "backup data",
      "start db",
      "exec db: db resume",
    ]);
    expect(json("fake/store/node1/volumes/data/meta.conf")).toMatchObject({ consistency: "stop" });
    expect(readdirSync(join(home, "state/held"))).toEqual([]);
  });

  test("pause, by a label of the volume; a container's own label wins", () => {
    volumes({ data: { labels: labels({ consistency: "pause" }) } });
    containers(
      container("a", { volumes: ["data"] }),
      container("b", { volumes: ["data"], labels: labels({ consistency: "none" }) }),
    );
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual(["pause a", "backup data", "unpause a"]);
    expect(json("fake/store/node1/volumes/data/meta.conf")).toMatchObject({ consistency: "pause" });
  });

  test("a container that does not run is left as it is", () => {
    const own = labels({ consistency: "stop", pre: "x" });
    containers(container("db", { volumes: ["data"], labels: own, running: false }));
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual(["backup data"]);
  });

  test("an unknown word is an error that says what is allowed, and stops nothing", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "freeze" }) }));
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([]);
    expect(status()["volume/data"]?.error).toBe(
      'docker-node.backup.consistency of db-name is "freeze"; allowed: stop, pause, none',
    );
  });

  test("a container that stopping would remove is not stopped", () => {
    const own = labels({ consistency: "stop" });
    containers(container("job", { volumes: ["data"], labels: own, autoRemove: true }));
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([]);
    expect(status()["volume/data"]?.error).toMatch(/job-name would be removed when it stops/);
  });

  test("if a pre command fails, there is no backup and no second attempt, but the post command runs", () => {
    const own = labels({ consistency: "stop", pre: "flush fails", post: "resume" });
    containers(container("db", { volumes: ["data"], labels: own }));
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual(["exec db: flush fails", "exec db: resume"]);
    expect(status()["volume/data"]?.error).toBe(
      "docker-node.backup.pre failed in db-name: it fails",
    );
  });

  test("a failed backup starts the container at once, and does not stop it again before its schedule", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    // Something that passes, and a server that is well again at once.
    fake("server", "ok\nconnection reset\n");
    expect(backup("volumes").status).toBe(1);
    const once = ["stop db", "backup data", "start db"];
    expect(changes()).toEqual(once);
    expect(status()["volume/data"]).toMatchObject({ result: "failed", waits: "held" });
    for (let hour = 0; hour < 3; hour++) backup("catch-up");
    expect(changes().filter((change) => !/configuration|images|save/.test(change))).toEqual(once);
    forget();
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual(once);
    expect(status()["volume/data"]).not.toHaveProperty("waits");
  });

  test("after a failed backup with pause neither; without stop or pause it is tried again", () => {
    volumes({ data: { labels: labels({ consistency: "pause" }) }, free: {} });
    containers(container("db", { volumes: ["data"] }));
    fake("server", "ok\nconnection reset\nok\nconnection reset\n");
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([
      ...["pause db", "backup data", "unpause db"],
      ...["backup free", "backup free"],
    ]);
  });

  test.each([
    "read-only maintenance mode: moving disks",
    "backup timestamp is older than last backup.",
    "ENOSPC: No space left on device",
    "EIO: Input/output error",
    "no such datastore 'docker'",
  ])("%s: nothing is stopped for it again, also by a catch-up", (complaint) => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    // Listing snapshots works in all of these.
    fake("server", `ok\n${complaint}\n`.repeat(20));
    expect(backup("volumes").status).toBe(1);
    backup("catch-up");
    expect(changes().filter((change) => change === "stop db")).toHaveLength(1);
    expect(status()["volume/data"]?.error).toBe(`Error: ${complaint}`);
  });

  test("a volume that waits is due again at its next scheduled time", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    fake("server", "ok\nread-only maintenance mode: \n");
    backup("volumes");
    forget();
    const whole = json("state/status.json") as { items: Record<string, Item> };
    const item = whole.items["volume/data"];
    if (item)
      item.lastTry = new Date(Date.now() - 25 * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
    write("state/status.json", whole);
    backup("catch-up");
    expect(changes()).toContain("stop db");
  });

  test("a container with two volumes is stopped only once if the server accepts nothing", () => {
    volumes({ a: {}, b: {}, free: {} });
    containers(container("db", { volumes: ["a", "b"], labels: labels({ consistency: "stop" }) }));
    const refused = "read-only maintenance mode: moving disks\n";
    fake("server", `ok\n${refused}ok\nok\n${refused}`);
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual(["stop db", "backup a", "start db", "backup free"]);
    expect(status()["volume/b"]).toMatchObject({
      waits: "spared",
      error:
        "db-name is not held a second time for an upload that fails: Error: read-only maintenance mode: moving disks",
    });
    // The one that was not tried comes first the next time: one bad volume keeps no other from being backed up.
    forget();
    fake("server", "ok\nok\nok\nok\nok\nEIO: Input/output error\n");
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([
      ...["stop db", "backup b", "start db", "backup free"],
      ...["stop db", "backup a", "start db"],
    ]);
  });

  test("a fault of one backup group does not affect the container's other volumes", () => {
    volumes({ a: {}, b: {} });
    containers(container("db", { volumes: ["a", "b"], labels: labels({ consistency: "stop" }) }));
    fake("server", "ok\nbackup timestamp is older than last backup.\nok\nok\n");
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([
      ...["stop db", "backup a", "start db"],
      ...["stop db", "backup b", "start db"],
    ]);
  });

  test("no container is stopped for a volume whose data is elsewhere", () => {
    volumes({ data: { driver: "rexray" } });
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([]);
  });

  test("no container is stopped if the key has a passphrase", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    write("secrets/key.json", { kdf: { Scrypt: {} }, data: "" });
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([]);
    expect(status()["volume/data"]?.error).toMatch(/^the key needs a passphrase/);
  });

  test("no container is stopped while the server is unreachable", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    fake("server", `${REFUSED}\n`.repeat(9));
    expect(backup("volumes").status).toBe(1);
    expect(changes()).toEqual([]);
  });

  test("a container that cannot be started again is reported, and the next run starts it", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    fake("no-start-db");
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/data"]?.error).toMatch(
      /^db-name is not started again: .*driver failed/,
    );
    expect(script("healthcheck").stdout).toContain("still held: db.stop");
    rmSync(join(home, "fake/no-start-db"));
    forget();
    expect(backup("configuration").status).toBe(0);
    expect(changes()).toEqual(["start db", "backup configuration"]);
  });
});

describe("interrupted", () => {
  const db = (): object =>
    container("db", { volumes: ["data"], labels: labels({ consistency: "stop", post: "resume" }) });

  test("kill -9 in the middle: the next run starts the container again, and succeeds", async () => {
    containers(db());
    const { pid, ended } = await hanging();
    process.kill(pid, "SIGKILL");
    await ended;
    expect(changes()).toEqual(["stop db", "backup data"]);
    expect(readdirSync(join(home, "state/held")).sort()).toEqual(["db.post", "db.stop"]);
    forget();
    // Its client went with it: nobody holds the lock.
    expect(backup("volumes").status).toBe(0);
    expect(changes()).toEqual([
      "start db",
      "exec db: resume",
      "stop db",
      "backup data",
      "start db",
      "exec db: resume",
    ]);
  });

  test("kill -9 in the middle: a start of the backup container starts the stopped one, too", async () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "pause" }) }));
    const { pid, ended } = await hanging();
    process.kill(pid, "SIGKILL");
    await ended;
    forget();
    expect(backup("recover").status).toBe(0);
    expect(changes()).toEqual(["unpause db"]);
    expect(backup("recover").status).toBe(0);
    expect(changes()).toEqual(["unpause db"]);
  });

  test("a container that was removed meanwhile is not started again", async () => {
    containers(db());
    const { pid, ended } = await hanging();
    process.kill(pid, "SIGKILL");
    await ended;
    containers();
    expect(backup("recover").status).toBe(0);
    expect(readdirSync(join(home, "state/held"))).toEqual([]);
  });

  test("SIGTERM: the container starts at once, and the item has failed", async () => {
    containers(db());
    const { pid, ended } = await hanging();
    process.kill(pid, "SIGTERM");
    expect(await ended).toBe(143);
    expect(changes()).toEqual(["stop db", "backup data", "start db", "exec db: resume"]);
    expect(status()["volume/data"]).toMatchObject({ result: "failed", error: "interrupted" });
  });

  test("two runs: the second waits, then says that another one is running", async () => {
    const { pid, ended } = await hanging();
    forget();
    const second = script("backup", ["configuration"], { LOCK_WAIT: "0" });
    expect(second).toMatchObject({ status: 75 });
    expect(second.stderr).toContain("another run is under way");
    expect(changes()).toEqual([]);
    process.kill(pid, "SIGTERM");
    await ended;
  });
});

describe("the server", () => {
  test.each([
    REFUSED,
    "error trying to connect: error connecting to https://pbs:8007/ - tcp connect error: deadline has elapsed",
    "error trying to connect: error connecting to https://pbs:8007/ - dns error: failed to lookup address information: Temporary failure in name resolution",
    "pipelined request failed: connection reset",
    "http request timed out",
    'unable to acquire lock on backup group directory "/b/host/data" - another backup is already running',
    "while creating locked backup group '\"/b/host/data\"'",
    'unable to acquire backup group lock "/run/proxmox-backup/locks/b/host-data"',
    "while locking snapshot 'host/data/2026-01-31T02:30:00Z'",
  ])("%s: may pass, and is tried again as often as told", (complaint) => {
    fake("server", `ok\n${complaint}\n${complaint}\nok\nok\n`);
    const result = backup("volumes");
    expect(result).toMatchObject({ status: 0 });
    expect(result.stderr).toContain(`${complaint}; again in 0 s`);
  });

  test("each pause is twice as long as the one before", () => {
    fake("server", `${REFUSED}\n`.repeat(9));
    rmSync(join(home, "bin/sleep"));
    symlinkSync(which("true"), join(home, "bin/sleep"));
    const result = script("backup", ["volumes"], { ATTEMPTS: "4", RETRY_PAUSE: "30" });
    expect(result.status).toBe(1);
    expect(result.stderr.match(/again in \d+ s/g)).toEqual(
      [30, 60, 120].map((seconds) => `again in ${seconds} s`),
    );
    expect(status()["volume/data"]).toMatchObject({ result: "failed", error: `Error: ${REFUSED}` });
  });

  test.each([
    "authentication failed - invalid credentials",
    "authentication failed - invalid token",
    "permission check failed",
    "missing permissions 'Datastore.Backup' on '/datastore/docker/node1/volumes'",
    "error trying to connect: error:0A000086:SSL routines::certificate verify failed",
    "certificate verify failed",
    "namespace not found",
    "something nobody has seen before",
  ])("%s does not", (complaint) => {
    fake("server", `${complaint}\nok\nok\n`);
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/data"]).toMatchObject({
      result: "failed",
      error: `Error: ${complaint}`,
      snapshot: null,
    });
    expect(read("fake/calls").match(/client snapshot/g)).toHaveLength(1);
  });

  test("that stays unreachable gets one attempt for each further item", () => {
    volumes({ a: {}, b: {}, c: {} });
    fake("server", `${REFUSED}\n`.repeat(20));
    expect(script("backup", ["volumes"], { ATTEMPTS: "3" }).status).toBe(1);
    expect(read("fake/calls").match(/client snapshot/g)).toHaveLength(3 + 1 + 1);
    expect(Object.values(status()).map(({ error }) => error)).toEqual(
      Array(3).fill(`Error: ${REFUSED}`),
    );
  });

  test("a missing namespace is named, with the command that creates it", () => {
    fake("server", "ENOENT: No such file or directory\n");
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/data"]?.error).toBe(
      "there is no namespace node1/volumes (npx docker-node backups --server): Error: ENOENT: No such file or directory",
    );
    expect(read("fake/calls").match(/client snapshot/g)).toHaveLength(1);
  });

  test("a certificate mismatch is reported with the fingerprint, which the client's last line lacks", () => {
    fake("warning", "WARNING: certificate fingerprint does not match expected fingerprint!");
    fake("server", "error trying to connect: certificate verify failed\n");
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/data"]?.error).toBe(
      "Error: error trying to connect: certificate verify failed (the server's certificate does not have the fingerprint declared)",
    );
  });

  test("no certificate authority of the image vouches for a server", () => {
    expect(backup("volumes").status).toBe(0);
    expect(read("fake/authorities")).toBe("/dev/null /dev/null\n");
  });

  test("the volume called benchmark has a group of its own: the server keeps that name for itself", () => {
    volumes({ benchmark: {} });
    expect(backup("volumes").status).toBe(0);
    expect(status()["volume/benchmark"]?.snapshot).toMatch(/^host\/_benchmark\//);
    expect(json("fake/store/node1/volumes/_benchmark/meta.conf")).toMatchObject({
      volume: "benchmark",
    });
  });

  test("a failed item keeps its last good snapshot in the status", () => {
    backup("volumes");
    const before = status()["volume/data"];
    fake("server", "permission denied\n");
    expect(backup("volumes").status).toBe(1);
    expect(status()["volume/data"]).toMatchObject({
      result: "failed",
      lastGood: before?.lastGood,
      snapshot: before?.snapshot,
    });
  });
});

describe("configuration", () => {
  test("has files as they are on the node, and definitions", () => {
    write("host/etc/apt/sources.list.d/docker.sources", "x");
    write("host/opt/compose/web.yaml", "y");
    containers(container("web"));
    const result = script("backup", ["configuration"], { CONFIGURATION_PATHS: "/opt/compose" });
    expect(result.status).toBe(0);
    const tree = "fake/store/node1/configuration/configuration/files.pxar";
    expect(readdirSync(join(home, tree), { recursive: true }).map(String).sort()).toEqual(
      [
        "definitions",
        ...["containers", "images", "networks", "volumes"].map(
          (name) => `definitions/${name}.json`,
        ),
        ...["etc", "etc/apt", "etc/apt/sources.list.d", "etc/apt/sources.list.d/docker.sources"],
        ...["etc/docker", "etc/docker/daemon.json", "etc/subuid"],
        ...["opt", "opt/compose", "opt/compose/web.yaml"],
      ].sort(),
    );
    expect(json(`${tree}/definitions/containers.json`)).toHaveLength(1);
    // One of them has no tag.
    expect(json(`${tree}/definitions/images.json`)).toHaveLength(2);
    expect(has("state/spool/configuration")).toBe(false);
  });

  test("--if-changed: a change of files or definitions counts, one of states or addresses does not", () => {
    const changed = (): boolean => {
      forget();
      expect(backup("configuration", "--if-changed").status).toBe(0);
      return changes().length > 0;
    };
    containers(container("web"));
    expect(changed()).toBe(true);
    containers(container("web", { running: false }));
    expect(changed()).toBe(false);
    write("host/etc/docker/daemon.json", '{"debug":true}');
    expect(changed()).toBe(true);
    containers(container("web", { labels: { a: "b" } }));
    expect(changed()).toBe(true);
    expect(changed()).toBe(false);
  });

  test.each([
    ["hangs", "hung", "container", "container is incomplete: no answer"],
    ["hangs for images", "hung", "image", "image is incomplete: no answer"],
    [
      "fails for one of two",
      "broken",
      "web",
      "container is incomplete: Error response from daemon: layer does not exist",
    ],
  ])(
    "a docker inspect that %s fails the items, and nothing is uploaded",
    (_what, how, of, error) => {
      containers(container("web"), container("db"));
      fake(how, of);
      for (const kind of ["configuration", "images"]) {
        expect(backup(kind).status).toBe(1);
        const item = { result: "failed", error: `docker inspect --type ${error}` };
        expect(status()[kind]).toMatchObject(item);
      }
      expect(changes()).toEqual([]);
    },
  );

  test("a container that is gone since it was listed is no fault", () => {
    containers(container("web"));
    fake("listed", "gone\n");
    expect(backup("configuration").status).toBe(0);
    expect(
      json("fake/store/node1/configuration/configuration/files.pxar/definitions/containers.json"),
    ).toHaveLength(1);
  });

  test("an unchanged configuration counts as backed up, with its last snapshot", async () => {
    backup("configuration");
    const before = status()["configuration"];
    await sleep(1100);
    backup("configuration", "--if-changed");
    const after = status()["configuration"];
    expect(after?.snapshot).toBe(before?.snapshot);
    expect(Date.parse(after?.lastGood ?? "")).toBeGreaterThan(Date.parse(before?.lastGood ?? ""));
  });

  test("a file that was replaced under its mount fails, and the container starts again", async () => {
    const main = spawn("sleep", ["60"]);
    const ended = new Promise((resolve) => {
      main.on("exit", (_code, signal) => {
        resolve(signal);
      });
    });
    const env = { MAIN_PROCESS: String(main.pid) };
    const mounted = (root: string): void => {
      write(
        "mountinfo",
        `100 99 8:1 ${root} ${home}/host/etc/subuid ro,relatime - ext4 /dev/sda1 rw\n`,
      );
    };
    mounted("/etc/subuid//deleted");
    expect(script("backup", ["configuration"], env).status).toBe(1);
    expect(status()["configuration"]?.error).toBe(
      "/etc/subuid was replaced; the container starts again to see the new one",
    );
    expect(changes()).toEqual([]);
    expect(await ended).toBe("SIGTERM");
    mounted("/etc/subuid");
    expect(backup("catch-up").status).toBe(0);
    expect(status()["configuration"]?.result).toBe("ok");
  });

  test("an empty /etc/docker fails instead of becoming the newest backup", () => {
    rmSync(join(home, "host/etc/docker"), { recursive: true });
    expect(backup("configuration").status).toBe(1);
    expect(status()["configuration"]?.error).toBe("/etc/docker/daemon.json is missing");
    expect(changes()).toEqual([]);
  });
});

describe("images", () => {
  test("every image that a container uses is saved once, with an index by the containers' names for it", () => {
    containers(container("a"), container("b"));
    expect(backup("images").status).toBe(0);
    expect(changes()).toEqual(["save registry/one:1", "backup images"]);
    expect(json("fake/store/node1/images/images/index.conf")).toEqual([
      {
        reference: "registry/one:1@sha256:abc",
        id: "sha256:one",
        digests: ["registry/one@sha256:abc"],
      },
    ]);
    expect(has("fake/store/node1/images/images/images.pxar/images.json")).toBe(true);
    expect(has("state/spool/images")).toBe(false);
  });

  test("one without a name is saved by its id", () => {
    containers({ ...container("a"), Image: "sha256:two" });
    expect(backup("images").status).toBe(0);
    expect(changes()).toEqual(["save sha256:two", "backup images"]);
  });

  test("a lack of space on the node is reported before the disk is full", () => {
    containers(container("a"));
    fake("images.json", [{ Id: "sha256:one", RepoTags: ["registry/one:1"], Size: 1e15 }]);
    expect(backup("images").status).toBe(1);
    expect(status()["images"]?.error).toMatch(
      /^no space: images take up to 20{15} bytes of the disk of .*state, where \d+ are free and 1073741824 have to stay$/,
    );
    expect(changes()).toEqual([]);
    // A catch-up would find the same disk.
    const tried = status()["images"]?.lastTry;
    backup("catch-up");
    expect(status()["images"]).toMatchObject({ waits: "later", lastTry: tried });
    expect(changes().filter((change) => change.includes("images"))).toEqual([]);
  });

  test("Docker's disk has to have room too, because dockerd writes the layers there first", () => {
    containers(container("a"));
    rmSync(join(home, "bin/stat"));
    rmSync(join(home, "bin/df"));
    const program = (name: string, text: string): void => {
      write(`bin/${name}`, `#!/bin/bash\n${text}\n`);
      chmodSync(join(home, "bin", name), 0o755);
    };
    program("stat", "case $* in */volumes) echo 1 ;; *) echo 2 ;; esac");
    program("df", "case $* in */volumes) echo 1073741830 ;; *) echo 2000000000 ;; esac");
    expect(backup("images").status).toBe(1);
    expect(status()["images"]?.error).toMatch(/^no space: images take up to 10 bytes .*volumes,/);
    program("df", "echo 1073741840");
    expect(backup("images").status).toBe(0);
    program("stat", "echo 1");
    expect(backup("images").status).toBe(1);
    expect(status()["images"]?.error).toMatch(/^no space: images take up to 20 bytes .*state,/);
  });

  test("a disk that is full at the save waits, too", () => {
    containers(container("a"));
    fake("save-fails", "write /var/lib/docker/tmp/docker-export-1: no space left on device");
    expect(backup("images").status).toBe(1);
    forget();
    backup("catch-up");
    expect(changes().filter((change) => change.startsWith("save"))).toEqual([]);
    expect(status()["images"]).toMatchObject({ waits: "later" });
  });
});

describe("catch-up", () => {
  test("backs up what never succeeded, what failed and what was missed, and nothing else", () => {
    volumes({ fresh: {}, stale: {}, failed: {}, unknown: {} });
    const ago = (hours: number): string =>
      new Date(Date.now() - hours * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
    const item = (kind: string, hours: number, result = "ok"): object => ({
      kind,
      result,
      lastGood: ago(hours),
      lastTry: ago(hours),
      snapshot: "host/x/y",
      error: null,
      bytes: 1,
      seconds: 1,
    });
    write("state/status.json", {
      items: {
        "volume/fresh": item("volumes", 23),
        "volume/stale": item("volumes", 25),
        "volume/failed": item("volumes", 1, "failed"),
        configuration: item("configuration", 2),
        images: item("images", 6 * 24),
      },
    });
    expect(backup("catch-up").status).toBe(0);
    expect(changes()).toEqual(["backup stale", "backup failed", "backup unknown"]);
  });

  test("a status that cannot be read makes everything due", () => {
    write("state/status.json", "{");
    expect(backup("catch-up").status).toBe(0);
    expect(changes()).toEqual(
      ["backup data", "backup configuration", "save", "backup images"].filter(
        (one) => one !== "save",
      ),
    );
  });
});

describe("status and health", () => {
  test("status and metrics of every item, readable by programs", () => {
    volumes({ data: {}, "odd.name": {} });
    containers(container("web"));
    backup("catch-up");
    const whole = json("state/status.json") as Record<string, unknown>;
    expect(Object.keys(whole)).toEqual(["node", "updated", "items"]);
    expect(whole["node"]).toBe("node1");
    expect(Object.keys(status())).toEqual([
      "volume/data",
      "volume/odd.name",
      "configuration",
      "images",
    ]);
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
    for (const item of Object.values(status())) {
      expect(item).toEqual({
        kind: expect.stringMatching(/^(volumes|configuration|images)$/) as string,
        lastGood: expect.stringMatching(time) as string,
        snapshot: expect.stringMatching(/^host\/[\w.]+\/\d{4}-/) as string,
        lastTry: expect.stringMatching(time) as string,
        result: "ok",
        error: null,
        bytes: expect.any(Number) as number,
        seconds: expect.any(Number) as number,
      });
    }
    const lines = read("state/metrics/docker_node_backup.prom").trim().split("\n");
    const samples = lines.filter((line) => !line.startsWith("#"));
    expect(samples).toHaveLength(4 * 4);
    for (const line of samples)
      expect(line).toMatch(/^docker_node_backup_\w+\{kind="\w+",item="[\w.]+"\} \d+$/);
    expect(samples).toContain('docker_node_backup_last_result{kind="volumes",item="odd.name"} 1');
    expect(backup("status").stdout).toContain("volume/data\tok\t");
  });

  test("a failed item has no success time, and its result is 0", () => {
    fake("server", "permission denied\n");
    backup("volumes");
    const text = read("state/metrics/docker_node_backup.prom");
    expect(text).toContain('docker_node_backup_last_result{kind="volumes",item="data"} 0');
    expect(text).not.toContain("last_success_timestamp_seconds{");
  });

  test("neither token nor key is on a command line, in a log or in the status", () => {
    containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
    fake("server", `ok\n${SECRET} was refused, permission denied\n`);
    const result = backup("volumes");
    expect(result.status).toBe(1);
    expect(status()["volume/data"]?.error).toBe("Error: [secret] was refused, permission denied");
    const texts = [result.stdout, result.stderr, read("fake/calls"), read("state/status.json")];
    for (const text of texts) expect(text).not.toContain(SECRET);
  });

  test("health: never, failed and late are reported; success is silent", () => {
    expect(script("healthcheck")).toMatchObject({
      status: 1,
      stdout: "configuration: never backed up\nimages: never backed up\n",
    });
    containers(container("web"));
    backup("catch-up");
    expect(script("healthcheck")).toMatchObject({ status: 0, stdout: "" });
    fake("server", "permission denied\n");
    backup("volumes");
    expect(script("healthcheck")).toMatchObject({
      status: 1,
      stdout: "volume/data: Error: permission denied\n",
    });
    backup("volumes");
    const whole = json("state/status.json") as { items: Record<string, Item> };
    const item = whole.items["volume/data"];
    if (item)
      item.lastGood = new Date(Date.now() - 28 * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
    write("state/status.json", whole);
    expect(script("healthcheck").stdout).toMatch(/^volume\/data: last good \d{4}/);
  });

  test("a run ends if docker is down, and keeps the status as it was", () => {
    backup("volumes");
    const before = status();
    fake("docker-down");
    const result = backup("volumes");
    expect(result).toMatchObject({ status: 1 });
    expect(result.stderr).toContain("docker does not answer");
    expect(status()).toEqual(before);
  });

  test.each([[[]], [["everything"]], [["volumes", "--if-changed"]], [["status", "x"]]])(
    "%j is wrong usage",
    (args) => {
      expect(backup(...args)).toMatchObject({ status: 2 });
    },
  );
});

test("the container recovers, catches up, keeps the node's schedule, and starts what it stopped when it ends", async () => {
  write("host/etc/localtime", "TZif");
  containers(container("db", { volumes: ["data"], labels: labels({ consistency: "stop" }) }));
  write("state/held/db.stop", "");
  fake("hang");
  const env = environment({ CRONTAB: join(home, "crontab") });
  const child = spawn(join(SCRIPTS, "entrypoint.sh"), [], { env, stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  for (let waited = 0; !(has("fake/hanging") && has("fake/zone")) && waited < 500; waited++)
    await sleep(20);
  expect(read("fake/crontab").trim().split("\n")).toEqual([
    "30 2 * * * backup volumes",
    "45 2 * * * backup configuration",
    "0 3 * * 0 backup images",
    "15 */3 * * * backup configuration --if-changed",
    "35 * * * * backup catch-up",
  ]);
  expect(read("fake/zone")).toBe(`:${home}/host/etc/localtime`);
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  // It ran when the container started, so there was nothing to start again.
  expect(changes()).toEqual(["stop db", "backup data", "start db"]);
});

describe("every script", () => {
  const files = readdirSync(SCRIPTS).filter((file) => file.endsWith(".sh"));

  test.each(files)("%s is short and defines short functions", (file) => {
    const lines = readFileSync(join(SCRIPTS, file), "utf8").trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(160);
    const lengths = lines.flatMap((line, start) =>
      /^\w+\(\) \{/.test(line) && !line.endsWith("}")
        ? [lines.indexOf("}", start) - start - 1]
        : [],
    );
    expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(25);
  });

  test("the image's own base images are named by their digests", () => {
    const dockerfile = readFileSync(join(SCRIPTS, "Dockerfile"), "utf8");
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name]) => name);
    expect(bases).toEqual([
      "golang:1.26-trixie@${GOLANG_DIGEST}",
      "debian:trixie-slim@${DEBIAN_DIGEST}",
    ]);
    // Without a default: a build that names none fails.
    expect(dockerfile).toMatch(/^ARG GOLANG_DIGEST\nARG DEBIAN_DIGEST\n/m);
  });

  test("all of them are in the image", () => {
    const dockerfile = readFileSync(join(SCRIPTS, "Dockerfile"), "utf8");
    expect(dockerfile).toContain("COPY *.sh *.jq *.paths /usr/local/lib/docker-node/");
  });
});
