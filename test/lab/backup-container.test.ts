/**
 * The backup container's scripts against the lab's backup server, by its client: what arrives, what is told
 * when the server is away, full, another one or refuses, and a run that is killed while it sends. Docker
 * is played by test/fixtures/backup/commands.sh.
 */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stopPbs } from "../../lab/lib/pbs";
import { Bench, LOGINS, execute, start, type Ran } from "./pbs-support";

jest.setTimeout(240_000);

const SCRIPTS = path.join(__dirname, "../../node/backup");
const DOCKER = path.join(__dirname, "../fixtures/backup/commands.sh");

let bench: Bench;
let home: string;

const at = (...names: string[]): string => path.join(home, ...names);
const put = (file: string, content: unknown): void => {
  fs.mkdirSync(path.dirname(at(file)), { recursive: true });
  const raw = typeof content === "string" || Buffer.isBuffer(content);
  fs.writeFileSync(at(file), raw ? content : JSON.stringify(content));
};

beforeAll(async () => {
  bench = await new Bench().start();
  bench.change(({ datastores }) => {
    datastores[0]?.namespaces?.push("node1/configuration", "node1/images");
  });
  home = bench.fresh("node");
  const db = {
    ...{ Id: "db", Name: "/db", Image: "sha256:one", State: { Running: true }, HostConfig: {} },
    Config: { Image: "one:1", Labels: { "docker-node.backup.consistency": "stop" } },
    Mounts: [{ Type: "volume", Name: "data" }],
  };
  const data = { Name: "data", Driver: "local", Mountpoint: "/x/volumes/data/_data" };
  put("fake/containers.json", [db]);
  put("fake/volumes.json", [data]);
  put("fake/images.json", [{ Id: "sha256:one", RepoTags: ["one:1"], Size: 1 }]);
  put("fake/networks.json", "[]");
  put("volumes/data/_data/file", randomBytes(100_000));
  put("volumes/data/_data/a folder/.hidden", "x");
  fs.symlinkSync("file", at("volumes/data/_data/link"));
  put("host/etc/docker/daemon.json", '{"userns-remap":"default"}');
  put("secrets/token", LOGINS.node1.secret);
  fs.copyFileSync(bench.keyFile, at("secrets/key.json"));
  fs.mkdirSync(at("bin"));
  fs.symlinkSync(DOCKER, at("bin/docker"));
});

afterAll(async () => {
  await bench.stop();
});

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { PBS_REPOSITORY, PBS_FINGERPRINT } = bench.env(LOGINS.node1);
  return {
    ...{ PBS_REPOSITORY, PBS_FINGERPRINT },
    PATH: `${at("bin")}:${bench.server.clientDir}:${process.env.PATH ?? ""}`,
    FAKE: at("fake"),
    STATE_DIR: at("state"),
    VOLUMES_DIR: at("volumes"),
    HOST_DIR: at("host"),
    SECRETS_DIR: at("secrets"),
    NODE_NAME: "node1",
    SCHEDULE_VOLUMES: "30 2 * * *",
    SCHEDULE_CONFIGURATION: "45 2 * * *",
    SCHEDULE_IMAGES: "0 3 * * 0",
    RETRY_PAUSE: "1",
    ATTEMPTS: "2",
    ...more,
  };
}

const script = (name: string, args: string[] = [], more: NodeJS.ProcessEnv = {}): Promise<Ran> =>
  execute(path.join(SCRIPTS, `${name}.sh`), args, environment(more));
/** Snapshots are named by the second; a server refuses a second one of the same second. */
const backup = async (args: string[], more: NodeJS.ProcessEnv = {}): Promise<Ran> => {
  await sleep(1000);
  return script("backup", args, more);
};

interface Item {
  readonly result: string;
  readonly snapshot: string;
  readonly error: string | null;
}
const item = (name: string): Item | undefined => {
  const text = fs.readFileSync(at("state/status.json"), "utf8");
  return (JSON.parse(text) as { items: Record<string, Item> }).items[name];
};

const restore = (snapshot: string, archive: string, target: string): Promise<Ran> =>
  bench.ok(
    ["restore", snapshot, archive, target, "--ns", "node1/volumes", "--keyfile", bench.keyFile],
    LOGINS.restore,
  );

/** `tree_digest` of the scripts. */
async function digest(folder: string): Promise<string> {
  const text = fs.readFileSync(path.join(SCRIPTS, "digest.sh"), "utf8");
  const [definition = ""] = /^tree_digest\(\) \{[\s\S]*?\n\}/m.exec(text) ?? [];
  return (await execute("bash", ["-c", `${definition}\ntree_digest "$1"`, "-", folder])).out.trim();
}

test("everything arrives, encrypted, and a volume comes back with the digest it was backed up with", async () => {
  expect(await backup(["catch-up"])).toMatchObject({ code: 0 });
  for (const [kind, id] of [
    ["volumes", "data"],
    ["configuration", "configuration"],
    ["images", "images"],
  ] as const) {
    const list = ["snapshot", "list", "--ns", `node1/${kind}`];
    const found = await bench.json<{ "backup-id": string; files: { "crypt-mode": string }[] }[]>(
      list,
      LOGINS.restore,
    );
    expect(found.map((one) => one["backup-id"])).toEqual([id]);
    const modes = found.flatMap(({ files }) => files.map((file) => file["crypt-mode"]));
    expect(new Set(modes)).toEqual(new Set(["encrypt", "sign-only"]));
  }
  const snapshot = item("volume/data")?.snapshot ?? "";
  const target = bench.fresh("restored");
  await restore(snapshot, "data.pxar", target);
  const meta = JSON.parse((await restore(snapshot, "meta.conf", "-")).out) as object;
  expect(meta).toMatchObject({ consistency: "stop", owners: ["db"], digest: await digest(target) });
  expect(await script("healthcheck")).toMatchObject({ code: 0, out: "" });
});

/**
 * [what, what is done to the server, how the run is told of it, the item's error, what makes up for it]: once
 * the container was stopped for nothing, only its schedule does.
 */
const TROUBLE: [string, () => void, NodeJS.ProcessEnv, RegExp, string][] = [
  [
    "another certificate",
    () => undefined,
    { PBS_FINGERPRINT: Array(32).fill("AB").join(":") },
    /certificate.*fingerprint/,
    "catch-up",
  ],
  [
    "an expired token",
    () => {
      bench.change(({ tokens }) => {
        for (const one of tokens) one.expire = 1;
      });
    },
    {},
    /authentication failed/,
    "catch-up",
  ],
  [
    "a full datastore",
    () => {
      bench.change(({ datastores }) => {
        for (const one of datastores) one.quota = 1;
      });
    },
    {},
    /No space left on device \(os error 28\)/,
    "volumes",
  ],
];

test.each(TROUBLE)(
  "%s is told, and over as soon as it is",
  async (_what, begin, more, error, again) => {
    put("volumes/data/_data/file", randomBytes(100_000));
    begin();
    expect(await backup(["volumes"], more)).toMatchObject({ code: 1 });
    expect(item("volume/data")).toMatchObject({
      result: "failed",
      error: expect.stringMatching(error) as string,
    });
    expect(await script("healthcheck")).toMatchObject({
      code: 1,
      out: expect.stringMatching(error) as string,
    });
    bench.change(({ tokens, datastores }) => {
      for (const one of tokens) delete one.expire;
      for (const one of datastores) delete one.quota;
    });
    expect(await backup([again])).toMatchObject({ code: 0 });
    expect(await script("healthcheck")).toMatchObject({ code: 0 });
  },
);

test("killed while it sends: no snapshot, the container runs again, the next run succeeds", async () => {
  put("volumes/data/_data/file", randomBytes(192 * 1024 * 1024));
  const list = ["snapshot", "list", "host/data", "--ns", "node1/volumes"];
  const before = await bench.json<unknown[]>(list, LOGINS.restore);
  for (const file of ["fake/changes", "state/spool/meta.conf"])
    fs.rmSync(at(file), { force: true });
  const { child, done } = start(path.join(SCRIPTS, "backup.sh"), ["volumes"], environment());
  for (let waited = 0; !fs.existsSync(at("state/spool/meta.conf")) && waited < 60_000; waited += 20)
    await sleep(20);
  await sleep(100);
  child.kill("SIGKILL");
  expect(await done).toMatchObject({ signal: "SIGKILL" });
  expect(fs.readdirSync(at("state/held"))).toEqual(["db.stop"]);
  expect(await bench.json<unknown[]>(list, LOGINS.restore)).toEqual(before);
  expect(await backup(["volumes"])).toMatchObject({ code: 0 });
  expect(fs.readFileSync(at("fake/changes"), "utf8").trim().split("\n")).toEqual([
    "stop db",
    "start db",
    "stop db",
    "start db",
  ]);
  expect(await bench.json<unknown[]>(list, LOGINS.restore)).toHaveLength(before.length + 1);
});

test("a server that is down stops nothing, and is told", async () => {
  await stopPbs(bench.stateDir);
  fs.rmSync(at("fake/changes"), { force: true });
  const ran = await backup(["volumes"]);
  expect(ran).toMatchObject({ code: 1 });
  expect(ran.err).toContain("again in 1 s");
  expect(item("volume/data")?.error).toMatch(/Connection refused/);
  expect(fs.existsSync(at("fake/changes"))).toBe(false);
});
