/** The backup server and its client: the documented command line, and everything that can go wrong. */
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { readCredentials } from "../../lab/lib/instance";
import { pbsLogins, pbsSettings } from "../../lab/lib/pbs-settings";
import { goSettings } from "../../lab/lib/run";
import { SCANNER_OPTIONS } from "../../lab/lib/scanner";
import { expectGoodGo } from "./go-support";
import {
  Bench,
  LOGINS,
  execute,
  makeTree,
  start,
  tellTree,
  type Ran,
  type TreeEntry,
} from "./pbs-support";

jest.setTimeout(240_000);

interface Item {
  "backup-id": string;
  "backup-time": number;
  "backup-type": string;
  files: { filename: string; size: number; "crypt-mode": string }[];
  owner: string;
  size: number;
  protected?: boolean;
  comment?: string;
}

const VOLUMES = ["--ns", "node1/volumes"];
const root = process.getuid?.() === 0;
let bench: Bench;

beforeAll(async () => {
  bench = await new Bench().start();
});
afterAll(async () => {
  await bench.stop();
});

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
const snapshot = (item: Item): string =>
  `${item["backup-type"]}/${item["backup-id"]}/${new Date(item["backup-time"] * 1000).toISOString().replace(".000Z", "Z")}`;

/** Snapshots of a group, oldest first. */
async function snapshots(id: string, ns = "node1/volumes"): Promise<Item[]> {
  const args = ["snapshot", "list", `host/${id}`, "--ns", ns];
  const list = await bench.json<Item[]>(args, LOGINS.restore);
  return list.sort((a, b) => a["backup-time"] - b["backup-time"]);
}

/** A backup of a folder; snapshots of one group must be a second apart, so the time is given. */
let clock = 1_800_000_000;
function backup(id: string, source: string, ...more: string[]): Promise<Ran> {
  clock += 1;
  const args = ["backup", `data.pxar:${source}`, "--backup-id", id, "--backup-time", String(clock)];
  return bench.run([...args, ...VOLUMES, ...more]);
}

// That of the bridge is in plugins.test.ts.
test.each([
  ["lab/pbs", {}],
  ["lab/images/agent", {}],
  ["lab/images/cadvisor", {}],
  ["lab/scanner", SCANNER_OPTIONS],
])(
  "the Go code of %s: its own tests pass, and go vet finds nothing",
  (module, options) => {
    expectGoodGo(module, goSettings(options));
  },
  20 * 60_000,
);

/**
 * The documented command line. With DOCKER_NODE_PBS_CLIENT (a proxmox-backup-client) and PBS_REPOSITORY in the
 * environment, and whatever that client needs to log in, this part runs against them instead.
 */
describe("command line", () => {
  const real = process.env.DOCKER_NODE_PBS_CLIENT;
  const theirs = Boolean(real && process.env.PBS_REPOSITORY);
  const id = `docker-node-${process.pid}`;
  const ns = theirs ? (process.env.DOCKER_NODE_PBS_NS ?? "") : "node1/volumes";
  const place = ns ? ["--ns", ns] : [];
  const client = (args: string[]): Promise<Ran> => {
    if (!theirs) return bench.run(args);
    const env = Object.entries(process.env).filter(([key]) => /^(PBS_|HOME$|XDG_)/.test(key));
    return execute(real ?? "", args, Object.fromEntries(env));
  };
  const good = async (args: string[]): Promise<Ran> => {
    const ran = await client(args);
    expect({ args, code: ran.code, err: ran.code === 0 ? "" : ran.err }).toMatchObject({ code: 0 });
    return ran;
  };
  // The list of patterns is kept as a file of root's.
  const anyOwner = root ? [] : ["--ignore-ownership"];
  let folder = "";
  let key = "";
  let name = "";

  beforeAll(() => {
    folder = bench.folder("hello");
    fs.writeFileSync(path.join(folder, "secret.tmp"), "no");
    fs.symlinkSync("file", path.join(folder, "link"));
    key = bench.fresh("key");
  });

  it("makes keys and shows what they are, not what they say", async () => {
    await good(["key", "create", "--kdf", "none", key]);
    expect(fs.statSync(key).mode & 0o777).toBe(0o600);
    const made = JSON.parse(fs.readFileSync(key, "utf8")) as Record<string, string | null>;
    expect(made.kdf).toBeNull();
    expect(Buffer.from(made.data ?? "", "base64")).toHaveLength(32);
    const shown = JSON.parse((await good(["key", "show", key, "--output-format=json"])).out) as {
      fingerprint: string;
    };
    expect(shown.fingerprint).toMatch(/^([0-9a-f]{2}:){7,31}[0-9a-f]{2}$/);
    expect((await client(["key", "create", "--kdf", "none", key])).err).toMatch(
      /Error: Unable to store key file/,
    );
  });

  it("prints a key for paper, and what is typed from it is the same key", async () => {
    const { out } = await good(["key", "paperkey", key, "--output-format", "text"]);
    const marked =
      /^-----BEGIN PROXMOX BACKUP KEY-----\n([^]+)\n-----END PROXMOX BACKUP KEY-----$/m;
    const [, typed = ""] = marked.exec(out) ?? [];
    expect(JSON.parse(typed)).toEqual(JSON.parse(fs.readFileSync(key, "utf8")));
    const none = await client(["key", "paperkey", bench.fresh("none"), "--output-format", "text"]);
    expect(none.err).toMatch(/Error: /);
  });

  it("backs up directories, images and files in one snapshot", async () => {
    const image = bench.fresh("image");
    fs.writeFileSync(image, Buffer.alloc(5 << 20, 7));
    const specs = [`data.pxar:${folder}`, `meta.conf:${path.join(folder, "file")}`];
    specs.push(`disk.img:${image}`, `run.log:${path.join(folder, "file")}`);
    const options = [`--backup-id=${id}`, "--backup-type", "host", "--exclude", "*.tmp"];
    options.push("--keyfile", key, "--crypt-mode=encrypt", "--skip-lost-and-found", "true");
    const ran = await good(["backup", ...specs, ...options, ...place]);
    expect(ran.err).toMatch(/Starting backup: .*host\/docker-node-\d+\/20\d\d-/);
    expect(ran.err).toMatch(/Duration: [\d.]+s/);
    expect(ran.err).toContain("End Time:");
  });

  it("lists snapshots as the documented JSON", async () => {
    const args = ["snapshot", "list", `host/${id}`, ...place, "--output-format"];
    const list = JSON.parse((await good([...args, "json"])).out) as Item[];
    expect(list).toHaveLength(1);
    const [item] = list as [Item];
    expect(item).toMatchObject({ "backup-id": id, "backup-type": "host" });
    expect(item.size).toBeGreaterThan(5 << 20);
    expect(item.files.map((file) => [file.filename, file["crypt-mode"]])).toEqual(
      expect.arrayContaining([
        ["data.pxar.didx", "encrypt"],
        ["meta.conf.blob", "encrypt"],
        ["disk.img.fidx", "encrypt"],
        ["run.log.blob", "encrypt"],
        ["catalog.pcat1.didx", "encrypt"],
        ["index.json.blob", "sign-only"],
      ]),
    );
    name = snapshot(item);
    expect(JSON.parse((await good([...args, "json-pretty"])).out)).toEqual(list);
    const text = (await good([...args, "text"])).out;
    expect(text).toContain(Buffer.from(`│ ${name} │`).toString("latin1"));
    const groups = JSON.parse((await good(["list", ...place, "--output-format=json"])).out) as {
      "backup-id": string;
      "backup-count": number;
      "last-backup": number;
      owner: string;
    }[];
    expect(groups.find((group) => group["backup-id"] === id)).toMatchObject({
      "backup-count": 1,
      "last-backup": item["backup-time"],
    });
    const files = await good(["snapshot", "files", name, ...place, "--output-format", "json"]);
    expect(JSON.parse(files.out)).toHaveLength(item.files.length);
  });

  it("restores to a directory, a file, and standard output", async () => {
    const more = ["--keyfile", key, ...place];
    const target = bench.fresh("target");
    await good(["restore", name, "data.pxar", target, ...more, ...anyOwner]);
    expect(fs.readFileSync(path.join(target, "file"), "utf8")).toBe("hello");
    expect(fs.readlinkSync(path.join(target, "link"))).toBe("file");
    expect(fs.existsSync(path.join(target, "secret.tmp"))).toBe(false);
    const excluded = fs.readFileSync(path.join(target, ".pxarexclude-cli"), "utf8");
    expect(excluded.split("\n")).toEqual(expect.arrayContaining(["*.tmp", "lost+found"]));
    expect((await good(["restore", name, "meta.conf", "-", ...more])).out).toBe("hello");
    // A group stands for its latest snapshot.
    expect((await good(["restore", `host/${id}`, "run.log", "-", ...more])).out).toBe("hello");
    const disk = bench.fresh("disk");
    await good(["restore", name, "disk.img", disk, ...more]);
    expect(sha256(fs.readFileSync(disk))).toBe(sha256(Buffer.alloc(5 << 20, 7)));
    const manifest = JSON.parse(
      (await good(["restore", name, "index.json", "-", ...more])).out,
    ) as {
      files: { csum: string }[];
      signature: string;
    };
    expect(manifest.files.every(({ csum }) => /^[0-9a-f]{64}$/.test(csum))).toBe(true);
    expect(manifest.signature).toMatch(/^[0-9a-f]{64}$/);
  });

  it("overwrites only when told to", async () => {
    const more = ["--keyfile", key, ...place];
    const target = bench.fresh("target");
    const restore = ["restore", name, "data.pxar", target, ...more, ...anyOwner];
    await good(restore);
    fs.writeFileSync(path.join(target, "file"), "changed");
    const refused = await client([...restore, "--allow-existing-dirs"]);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("Error: error extracting archive");
    expect(fs.readFileSync(path.join(target, "file"), "utf8")).toBe("changed");
    await good([...restore, "--allow-existing-dirs", "--overwrite", "true"]);
    expect(fs.readFileSync(path.join(target, "file"), "utf8")).toBe("hello");
    const file = bench.fresh("file");
    fs.writeFileSync(file, "mine");
    const conf = await client(["restore", name, "meta.conf", file, ...more]);
    expect(conf.err).toMatch(/Error: unable to create target file .* - .*exist/i);
    expect(fs.readFileSync(file, "utf8")).toBe("mine");
  });

  it("dumps the catalog", async () => {
    const { out, err } = await good(["catalog", "dump", name, "--keyfile", key, ...place]);
    expect(out + err).toContain('d "./data.pxar.didx"');
    expect(out + err).toMatch(/f "\.\/data\.pxar\.didx\/file" 5 20\d\d-/);
    expect(out + err).toContain('l "./data.pxar.didx/link"');
  });

  it("says what would be backed up", async () => {
    const ran = await good(["backup", `data.pxar:${folder}`, "--dry-run", ...place]);
    expect(ran.err).toContain("Would upload directory");
  });

  const refusals: [string, string[], RegExp][] = [
    ["no source", ["backup"], /'backupspec': parameter is missing and it is not optional/],
    ["a bad source", ["backup", "data.tar:/tmp"], /'backupspec'.*pattern/],
    ["an unknown option", ["list", "--nonsense", "1"], /'nonsense': schema does not allow/],
    ["a bad type", ["backup", "a.conf:/etc/passwd", "--backup-type", "nas"], /'backup-type'/],
    ["a bad id", ["backup", "a.conf:/etc/passwd", "--backup-id", "a b"], /'backup-id'.*pattern/],
    ["a bad format", ["list", "--output-format", "xml"], /'output-format'/],
    ["a bad repository", ["list", "--repository", "a b"], /repository/],
    ["a bad number", ["backup", "a.conf:/etc/passwd", "--backup-time", "x"], /'backup-time'/],
    ["too much", ["snapshot", "list", "host/a", "host/b"], /additional arg/],
    ["an unknown command", ["frobnicate"], /no such command/],
    ["a missing source", ["backup", "a.pxar:/nonexistent"], /unable to access '\/nonexistent'/],
    ["a file as directory", ["backup", "a.pxar:/etc/passwd"], /unexpected file type/],
    ["a directory as file", ["backup", "a.conf:/etc"], /unexpected file type/],
    ["one name twice", ["backup", "a.conf:/etc/passwd", "a.conf:/etc/group"], /target twice/],
    ["a key not there", ["backup", "a.conf:/etc/passwd", "--keyfile", "/nonexistent"], /Error: /],
    [
      "a mode without key",
      ["backup", "a.conf:/etc/passwd", "--crypt-mode", "encrypt"],
      /--crypt-mode without --keyfile/,
    ],
  ];
  it.each(refusals)("refuses %s", async (_what, args, message) => {
    const ran = await client(args);
    expect([1, 255]).toContain(ran.code);
    expect(ran.err).toMatch(/^Error: |\nError: /);
    expect(ran.err).toMatch(message);
  });

  it("refuses what is not there", async () => {
    const more = ["--keyfile", key, ...place];
    const gone = await client([
      "restore",
      `host/${id}/2001-01-01T00:00:00Z`,
      "a.pxar",
      "-",
      ...more,
    ]);
    expect(gone.err).toMatch(/Error: .*(does not exist|not found|No such)/);
    const archive = await client(["restore", name, "other.pxar", "-", ...more]);
    expect(archive.err).toContain("manifest does not contain file 'other.pxar.didx'");
    const target = ["restore", name, "data.pxar", bench.fresh("t"), ...place];
    expect((await client(target)).err).toMatch(
      /Error: missing key - manifest was created with key/,
    );
    const other = bench.fresh("key");
    await good(["key", "create", "--kdf", "none", other]);
    expect((await client([...target, "--keyfile", other])).err).toMatch(/Error: wrong key/);
  });

  it("refuses to connect to what is not there or not the server", async () => {
    const repository = theirs ? (process.env.PBS_REPOSITORY ?? "") : bench.env().PBS_REPOSITORY;
    const user = /^.*@(?=[^@]*$)/.exec(repository ?? "")?.[0] ?? "";
    const nobody = await client(["list", "--repository", `${user}127.0.0.1:1:store`]);
    expect(nobody.err).toMatch(/Error: .*connect.*(refused|os error 111)/i);
  });

  it("names itself", async () => {
    const version = JSON.parse((await good(["version", "--output-format", "json"])).out) as {
      client: { version: string };
    };
    expect(version.client.version).toMatch(/^\d+\.\d+/);
    if (theirs) return;
    for (const args of [["version"], ["help"], ["backup", "--help"]])
      expect((await good(args)).out).toContain("stand-in");
    expect(bench.log).toContain("stand-in");
    for (const program of ["pxar", "pbs-server"])
      expect((await execute(bench.program(program), ["help"])).out).toContain("stand-in");
  });
});

describe("access", () => {
  it("takes the secret from variable, file, descriptor and command", async () => {
    const file = bench.fresh("secret");
    fs.writeFileSync(file, `${LOGINS.node1.secret}\na comment\n`);
    const rest = { ...bench.env(), PBS_PASSWORD: undefined };
    const client = bench.program("proxmox-backup-client");
    const list = ["list", ...VOLUMES];
    for (const more of [{ PBS_PASSWORD_FILE: file }, { PBS_PASSWORD_CMD: `cat ${file}` }])
      expect((await execute(client, list, { ...rest, ...more })).code).toBe(0);
    const shell = `exec ${client} list ${VOLUMES.join(" ")} 7<${file}`;
    expect((await execute("bash", ["-c", shell], { ...rest, PBS_PASSWORD_FD: "7" })).code).toBe(0);
    expect((await execute(client, list, rest)).err).toContain("API token secret must be provided!");
  });

  it("refuses another certificate, and sends no secret", async () => {
    const before = bench.log;
    const wrong = { PBS_FINGERPRINT: Array(32).fill("ab").join(":") };
    const ran = await bench.run(["list", ...VOLUMES], LOGINS.node1, wrong);
    expect(ran.code).toBe(255);
    expect(ran.err).toContain("certificate fingerprint does not match expected fingerprint");
    expect(ran.err).toMatch(/Error: error trying to connect: .*certificate verify failed/);
    expect(bench.log).toBe(before);
  });

  it("refuses a bad, an unknown, a disabled and an expired token", async () => {
    const list = ["list", ...VOLUMES];
    const gone = "user account or token disabled or expired.";
    const deny = async (login: { id: string; secret: string }, why: string): Promise<void> => {
      expect(await bench.run(list, login)).toMatchObject({
        code: 255,
        err: `Error: authentication failed - ${why}\n`,
      });
      expect(bench.log.trimEnd().split("\n").slice(-2).join("\n")).toContain(`msg=${why}`);
    };
    await deny({ ...LOGINS.node1, secret: "guess" }, "invalid credentials");
    await deny({ id: "backup@pbs!nobody", secret: "x" }, gone);
    const token = (id: string, change: { expire?: number; disable?: boolean }): void => {
      bench.change(({ tokens }) =>
        Object.assign(tokens.find((one) => one.id === id) ?? {}, change),
      );
    };
    token(LOGINS.node1.id, { expire: Math.floor(Date.now() / 1000) - 1 });
    await deny(LOGINS.node1, gone);
    expect((await backup("expired", bench.folder())).err).toContain("Error: authentication failed");
    token(LOGINS.node1.id, { expire: 0, disable: true });
    await deny(LOGINS.node1, gone);
    token(LOGINS.node1.id, { disable: false });
    expect((await bench.run(list)).code).toBe(0);
  });

  it("keeps its settings when the file is broken", async () => {
    const { settingsFile } = bench.server;
    const whole = fs.readFileSync(settingsFile, "utf8");
    fs.writeFileSync(settingsFile, whole.slice(0, 100));
    expect((await bench.run(["list", ...VOLUMES])).code).toBe(0);
    expect(bench.log).toContain("settings not read again");
    fs.writeFileSync(settingsFile, whole);
  });

  it("lets a node add backups and read its own, nothing else", async () => {
    const folder = bench.folder();
    expect((await backup("mine", folder)).code).toBe(0);
    const [item] = (await snapshots("mine")) as [Item];
    const name = snapshot(item);
    expect(item.owner).toBe(LOGINS.node1.id);
    expect((await bench.run(["restore", name, "data.pxar", bench.fresh(), ...VOLUMES])).code).toBe(
      0,
    );
    const denied: [string[], RegExp][] = [
      [["snapshot", "forget", name, ...VOLUMES], /missing Datastore.Modify\|Datastore.Prune on/],
      [["prune", "host/mine", "--keep-last", "1", ...VOLUMES], /missing Datastore.Modify\|Dat/],
      [["garbage-collect"], /permission check failed - missing Datastore.Modify/],
      [
        ["namespace", "create", "node1/more"],
        /missing Datastore.Modify on \/datastore\/store\/node1$/m,
      ],
      [["namespace", "delete", "node1/volumes"], /missing Datastore.Modify/],
      [["change-owner", "host/mine", LOGINS.node2.id, ...VOLUMES], /missing Datastore.Modify/],
      [["list", "--ns", "node2/volumes"], /missing Datastore.Audit\|Datastore.Backup on/],
      [["list"], /missing Datastore.Audit\|Datastore.Backup on \/datastore\/store$/m],
      [
        ["restore", name, "data.pxar", bench.fresh(), "--ns", "node2/volumes"],
        /no permissions on \/datastore\/store\/node2\/volumes$/m,
      ],
    ];
    for (const [args, message] of denied) {
      const ran = await bench.run(args);
      expect({ args, code: ran.code, err: ran.err }).toMatchObject({ code: 255 });
      expect(ran.err).toMatch(message);
    }
    expect(await snapshots("mine")).toHaveLength(1);
  });

  it("keeps nodes apart by namespace and by owner", async () => {
    expect((await backup("owned", bench.folder())).code).toBe(0);
    const give = { path: "/datastore/store/node1", role: "DatastoreBackup" };
    bench.change(({ acl }) => {
      for (const auth of [LOGINS.node2.id, "backup@pbs"]) acl.push({ ...give, auth });
    });
    const args = ["backup", `data.pxar:${bench.folder()}`, "--backup-id", "owned", ...VOLUMES];
    expect((await bench.run(args, LOGINS.node2)).err).toContain(
      `backup owner check failed (${LOGINS.node2.id} != ${LOGINS.node1.id})`,
    );
    const groups = await bench.json<Item[]>(["list", ...VOLUMES], LOGINS.node2);
    expect(groups).toEqual([]);
    bench.change((settings) => {
      settings.acl = settings.acl.filter(
        ({ auth, path: at }) => auth !== LOGINS.node2.id || at !== "/datastore/store/node1",
      );
    });
  });

  it("lets the workstation read and not write", async () => {
    expect((await backup("readable", bench.folder("text"))).code).toBe(0);
    const restore = ["restore", "host/readable", "data.pxar", bench.fresh(), ...VOLUMES];
    expect((await bench.run(restore, LOGINS.restore)).code).toBe(0);
    const write = ["backup", `data.pxar:${bench.folder()}`, "--backup-id", "readable", ...VOLUMES];
    expect((await bench.run(write, LOGINS.restore)).err).toContain(
      "missing permissions 'Datastore.Backup' on '/datastore/store/node1/volumes'",
    );
    const name = snapshot((await snapshots("readable"))[0] as Item);
    const forget = ["snapshot", "forget", name, ...VOLUMES];
    expect((await bench.run(forget, LOGINS.restore)).err).toContain("permission check failed");
    expect((await bench.run(["list", ...VOLUMES], LOGINS.stranger)).err).toContain("missing");
    expect((await bench.run(["status"], LOGINS.stranger)).err).toContain("permission check failed");
  });

  it("gives a token no more than its user has, and deeper paths precedence", async () => {
    bench.change(({ acl }) => {
      acl.push({ path: "/datastore/store", auth: LOGINS.stranger.id, role: "DatastoreAdmin" });
    });
    expect((await bench.run(["list", ...VOLUMES], LOGINS.stranger)).err).toContain("missing");
    bench.change(({ acl }) => {
      acl.push({ path: "/", auth: "stranger@pbs", role: "Admin" });
    });
    expect((await bench.run(["list", ...VOLUMES], LOGINS.stranger)).code).toBe(0);
    bench.change(({ acl }) => {
      acl.push({ path: "/datastore/store/node1", auth: LOGINS.stranger.id, role: "NoAccess" });
    });
    expect((await bench.run(["list", ...VOLUMES], LOGINS.stranger)).err).toContain("missing");
    bench.change((settings) => {
      settings.acl = settings.acl.filter(({ auth }) => !auth.startsWith("stranger"));
    });
  });

  it("wants namespaces to be there, and lets who may make them", async () => {
    const folder = bench.folder();
    const into = (ns: string): Promise<Ran> =>
      bench.run(["backup", `a.pxar:${folder}`, "--ns", ns], LOGINS.admin);
    expect((await into("node1/new")).err).toContain("Error: namespace not found");
    // Listing says it otherwise.
    for (const list of [["snapshot", "list"], ["list"]])
      expect((await bench.run([...list, "--ns", "node1/new"], LOGINS.admin)).err).toBe(
        "Error: ENOENT: No such file or directory\n",
      );
    expect((await bench.run(["namespace", "create", "a/b"], LOGINS.admin)).err).toContain(
      "parent a doesn't already exist",
    );
    await bench.ok(["namespace", "create", "node1/new"], LOGINS.admin);
    expect((await into("node1/new")).code).toBe(0);
    const { data } = await bench.json<{ data: { ns: string }[] }>(["namespace", "list"]);
    expect(data.map(({ ns }) => ns)).toEqual(["node1", "node1/new", "node1/volumes"]);
    const remove = ["namespace", "delete", "node1/new"];
    expect((await bench.run(remove, LOGINS.admin)).err).toContain("existing groups");
    await bench.ok([...remove, "--delete-groups"], LOGINS.admin);
    expect((await into("node1/new")).err).toContain("namespace not found");
  });

  it("keeps a user's ticket until logout", async () => {
    const { PBS_PASSWORD: password, ...env } = bench.env(LOGINS.admin);
    const client = bench.program("proxmox-backup-client");
    const ask = (args: string[], more = {}): Promise<Ran> =>
      execute(client, args, { ...env, ...more });
    expect((await ask(["login"], { PBS_PASSWORD: "wrong" })).err).toContain(
      "Error: permission check failed.",
    );
    expect((await ask(["login"], { PBS_PASSWORD: password })).code).toBe(0);
    expect((await ask(["list", ...VOLUMES])).code).toBe(0);
    expect((await ask(["logout"])).code).toBe(0);
    expect((await ask(["list", ...VOLUMES])).err).toContain("no password input mechanism");
  });
});

describe("contents", () => {
  it("sends only what is new, and says how much that was", async () => {
    // Noise that is the same every time: how much is in the first chunk depends on it.
    const cipher = createCipheriv("aes-256-ctr", Buffer.alloc(32), Buffer.alloc(16));
    const noise = cipher.update(Buffer.alloc(24 << 20));
    const folder = bench.folder(noise);
    for (const more of [[], ["--keyfile", bench.keyFile]]) {
      const id = more.length ? "grown-encrypted" : "grown";
      expect((await backup(id, folder, ...more)).err).toContain("No previous manifest available.");
      const before = bench.chunks().length;
      fs.writeFileSync(path.join(folder, "file"), Buffer.concat([Buffer.from("new"), noise]));
      const { err } = await backup(id, folder, ...more);
      const percent = /backup was done incrementally, reused [\d.]+ MiB \(([\d.]+)%\)/.exec(
        err,
      )?.[1];
      expect(Number(percent)).toBeGreaterThan(50);
      expect(bench.chunks().length - before).toBeLessThan(4);
      fs.writeFileSync(path.join(folder, "file"), noise);
    }
  });

  it("encrypts so that neither content nor name is on the server", async () => {
    const word = "a most particular word";
    // With noise, so that compression alone does not hide it.
    const folder = bench.folder(Buffer.concat([Buffer.from(word), randomBytes(1 << 16)]));
    fs.writeFileSync(path.join(folder, "a-particular-name"), word);
    expect((await backup("hidden", folder, "--keyfile", bench.keyFile)).code).toBe(0);
    const found = await execute("grep", ["-rlE", `${word}|a-particular-name`, bench.store]);
    expect(found.out).toBe("");
    expect((await backup("plain", folder)).code).toBe(0);
    expect((await execute("grep", ["-rl", word, bench.store])).out).toContain(".chunks");
  });

  it("takes a disk of 132 GB that is nearly empty in seconds, and gives it back as sparse", async () => {
    const disk = bench.fresh("disk");
    const file = fs.openSync(disk, "w");
    fs.ftruncateSync(file, 132e9);
    fs.writeSync(file, "begin", 0);
    fs.writeSync(file, "middle", 66e9 + 12345);
    fs.writeSync(file, "end", 132e9 - 3);
    fs.closeSync(file);
    const started = Date.now();
    const args = [
      "backup",
      `drive-scsi0.img:${disk}`,
      "--backup-type",
      "vm",
      "--backup-id",
      "2019",
    ];
    const ran = await bench.ok([...args, ...VOLUMES, "--keyfile", bench.keyFile]);
    expect(ran.err).toMatch(/reused 122\.\d+ GiB \(\d+\.\d%\)|reused 123\.\d+ GiB/);
    const back = bench.fresh("disk");
    const restore = ["restore", "vm/2019", "drive-scsi0.img", back, ...VOLUMES];
    await bench.ok([...restore, "--keyfile", bench.keyFile]);
    expect(Date.now() - started).toBeLessThan(60_000);
    const told = fs.statSync(back);
    expect(told.size).toBe(132e9);
    expect(told.blocks * 512).toBeLessThan(1 << 20);
    const read = fs.openSync(back, "r");
    const part = (at: number, length: number): string => {
      const buffer = Buffer.alloc(length);
      fs.readSync(read, buffer, 0, length, at);
      return buffer.toString();
    };
    expect([part(0, 5), part(66e9 + 12345, 6), part(132e9 - 3, 3)]).toEqual([
      "begin",
      "middle",
      "end",
    ]);
    fs.closeSync(read);
  });

  it("writes the archive itself to standard output, for pxar to extract elsewhere", async () => {
    const folder = bench.folder("through a pipe");
    expect((await backup("piped", folder, "--keyfile", bench.keyFile)).code).toBe(0);
    const target = bench.fresh("target");
    const [client, pxar] = ["proxmox-backup-client", "pxar"].map((name) => bench.program(name));
    const more = [...VOLUMES, "--keyfile", bench.keyFile].join(" ");
    const pipe = `set -o pipefail; ${client} restore host/piped data.pxar - ${more} | ${pxar} extract - ${target}`;
    expect(await execute("bash", ["-c", pipe], bench.env())).toMatchObject({ code: 0 });
    expect(await tellTree(target)).toEqual(await tellTree(folder));
    const archive = bench.fresh("archive");
    await execute(
      "bash",
      ["-c", `${client} restore host/piped data.pxar - ${more} >${archive}`],
      bench.env(),
    );
    const listed = await execute(pxar as string, ["list", archive]);
    expect(listed.err).toBe('"/"\n"/file"\n');
    const short = bench.fresh("archive");
    fs.writeFileSync(short, fs.readFileSync(archive).subarray(0, -60));
    const cut = await execute(pxar as string, ["extract", short, bench.fresh()]);
    expect(cut).toMatchObject({
      code: 255,
      err: expect.stringContaining("ends too early") as string,
    });
  });

  it("opens standard output by its name, which a socket does not allow", async () => {
    expect((await backup("socket", bench.folder("through a socket"))).code).toBe(0);
    const args = ["restore", "host/socket", "data.pxar", "-", ...VOLUMES];
    // What Node gives a child as a pipe is one of a pair of sockets.
    expect((await bench.run(args)).err).toContain(
      "Error: unable to open /dev/stdout - No such device or address (os error 6)",
    );
    const archive = bench.fresh("archive");
    const whole = `${[bench.program("proxmox-backup-client"), ...args].join(" ")} | cat >${archive}`;
    expect(await execute("bash", ["-c", whole], bench.env())).toMatchObject({ code: 0 });
    expect(fs.readFileSync(archive, "latin1")).toContain("through a socket");
  });

  it("takes no backup of the group that measurements have", async () => {
    expect((await backup("benchmark", bench.folder())).err).toContain(
      "Error: unable to run benchmark without --benchmark flags",
    );
  });

  it("extracts files that must not be changed; without the capability it says where, and not why", async () => {
    const folder = bench.folder("kept");
    const flags = (file: string, value: number): Promise<Ran> =>
      execute("python3", [
        "-c",
        "import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], 0), 0x40086602, struct.pack('l', int(sys.argv[2])))",
        file,
        String(value),
      ]);
    const file = path.join(folder, "file");
    if ((await flags(file, 0x10)).code !== 0) return; // no such flags here, or not for us
    expect((await backup("immutable", folder)).code).toBe(0);
    await flags(file, 0);
    const [client, pxar] = ["proxmox-backup-client", "pxar"].map((name) => bench.program(name));
    const extract = (target: string, how = ""): Promise<Ran> =>
      execute(
        "bash",
        [
          "-c",
          `${client} restore host/immutable data.pxar - ${VOLUMES.join(" ")} | ${how} ${pxar} extract - ${target}`,
        ],
        bench.env(),
      );
    const [whole, part] = [bench.fresh("target"), bench.fresh("target")];
    expect(await extract(whole)).toMatchObject({ code: 0 });
    expect(() => {
      fs.unlinkSync(path.join(whole, "file"));
    }).toThrow(/EPERM|not permitted/);
    await flags(path.join(whole, "file"), 0);
    expect(await extract(part, "setpriv --bounding-set -linux_immutable")).toMatchObject({
      code: 255,
      err: 'error: error at "file"\nError: there were errors\n',
    });
    expect(fs.readFileSync(path.join(part, "file"), "utf8")).toBe("kept");
  });

  it("leaves out what the patterns say", async () => {
    const folder = bench.fresh("folder");
    const paths = [
      "sub0/file0",
      "sub0/file1",
      "sub0/file3",
      "sub1/file1",
      "sub1/file2",
      "x/cache/y",
    ];
    for (const at of paths) {
      fs.mkdirSync(path.join(folder, path.dirname(at)), { recursive: true });
      fs.writeFileSync(path.join(folder, at), at);
    }
    // The example of the documentation, "Excluding Files/Directories from a Backup".
    const lines = ["# comment", "/sub0/file1", "/sub1/*", "!/sub1/file2", "cache/"];
    fs.writeFileSync(path.join(folder, ".pxarexclude"), lines.join("\n"));
    fs.writeFileSync(path.join(folder, "sub0/.pxarexclude"), "file3\n");
    expect((await backup("patterns", folder)).code).toBe(0);
    const target = bench.fresh("target");
    await bench.ok(["restore", "host/patterns", "data.pxar", target, ...VOLUMES]);
    expect(Object.keys(await tellTree(target)).sort()).toEqual(
      [
        "",
        ".pxarexclude",
        "sub0",
        "sub0/.pxarexclude",
        "sub0/file0",
        "sub1",
        "sub1/file2",
        "x",
      ].sort(),
    );
  });

  it("passes over mount points unless told, and says so", async () => {
    const able = await execute("unshare", ["-Urm", "true"]).catch(() => ({ code: 1 }));
    if (able.code !== 0) return; // no user namespaces here
    const folder = bench.folder();
    fs.mkdirSync(path.join(folder, "mnt"));
    const client = bench.program("proxmox-backup-client");
    const mounted = (id: string, more: string): Promise<Ran> => {
      const backupIt = `${client} backup data.pxar:${folder} --backup-id ${id} ${VOLUMES.join(" ")} ${more}`;
      const script = `mount -t tmpfs none ${folder}/mnt && echo in >${folder}/mnt/inside && ${backupIt}`;
      return execute("unshare", ["-Urm", "sh", "-c", script], bench.env());
    };
    const inside = async (id: string): Promise<boolean> => {
      const target = bench.fresh("target");
      const more = ["--ignore-ownership", ...VOLUMES];
      await bench.ok(["restore", `host/${id}`, "data.pxar", target, ...more]);
      return fs.existsSync(path.join(target, "mnt/inside"));
    };
    expect((await mounted("mounts-0", "")).err).toContain('skip mount point: "mnt"');
    expect(await inside("mounts-0")).toBe(false);
    expect((await mounted("mounts-1", `--include-dev ${folder}/mnt`)).err).not.toContain(
      "skip mount",
    );
    expect(await inside("mounts-1")).toBe(true);
    expect((await mounted("mounts-2", "--all-file-systems")).code).toBe(0);
    expect(await inside("mounts-2")).toBe(true);
    const both = await mounted("mounts-3", `--all-file-systems --include-dev ${folder}/mnt`);
    expect(both.err).toContain("conflicts with option 'include-dev'");
    const proc = await bench.run(["backup", "p.pxar:/proc", ...VOLUMES]);
    expect(proc.err).toContain("refusing to backup a virtual file system");
  });

  it("gives random trees back exactly: contents, owners, modes, times, attributes, links", async () => {
    const able = await attributesOf(bench.keyFile);
    await fc.assert(
      fc.asyncProperty(trees(able), fc.boolean(), async (entries, encrypted) => {
        const source = bench.fresh("tree");
        await makeTree(source, entries);
        const key = encrypted ? ["--keyfile", bench.keyFile] : [];
        const id = path.basename(source);
        expect(await backup(id, source, ...key)).toMatchObject({ code: 0 });
        const target = bench.fresh("back");
        await bench.ok(["restore", `host/${id}`, "data.pxar", target, ...VOLUMES, ...key]);
        expect(await tellTree(target)).toEqual(await tellTree(source));
      }),
      { numRuns: 25 },
    );
  });
});

const NAMES = fc
  .string({
    unit: fc.constantFrom(...Array.from("abXY0 ._-é\n'\"$*\\")),
    minLength: 1,
    maxLength: 12,
  })
  .filter((name) => ![".", "..", ".pxarexclude", ".pxarexclude-cli"].includes(name));

/** Write for user 5, by an access list as the kernel keeps it (linux/posix_acl_xattr.h). */
const ACL = [
  "02000000",
  "01000700ffffffff",
  "0200060005000000",
  "04000500ffffffff",
  "10000700ffffffff",
  "20000500ffffffff",
].join("");

/** What a file system keeps, tried out on a file. */
async function attributesOf(file: string): Promise<string[]> {
  const able: string[] = [];
  for (const [name, value] of [
    ["user.one", "61"],
    ["user.two", "61"],
    ["system.posix_acl_access", ACL],
  ] as const) {
    const script =
      "import os, sys; os.setxattr(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))";
    const { code } = await execute("python3", ["-c", script, file, name, value]);
    if (code === 0) able.push(name);
  }
  return able;
}

function trees(able: string[]): fc.Arbitrary<TreeEntry[]> {
  const number = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most });
  const entry = fc.record({
    kind: fc.constantFrom<TreeEntry["kind"][]>(
      "dir",
      "dir",
      "file",
      "file",
      "symlink",
      "hardlink",
      "fifo",
    ),
    parent: fc.nat(),
    name: NAMES,
    mode: number(root ? 0o7777 : 0o777).map((mode) => (root ? mode : mode | 0o600)),
    uid: root ? number(70000) : fc.constant(process.getuid?.() ?? 0),
    gid: root ? number(70000) : fc.constant(process.getgid?.() ?? 0),
    mtime: fc
      .integer({ min: -1_000_000, max: 2_000_000_000 })
      .map((seconds) => seconds * 1e9 + 1000),
    data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("hex")),
    times: fc.constantFrom(1, 1, 1, 30, 20_000),
    size: fc.constantFrom(0, 0, 1, 5000, 3 << 20),
    xattrs: fc.subarray(able),
    value: fc.constantFrom("", "00ff", "616263"),
  });
  return fc.array(entry, { maxLength: 25 }).map((list) => {
    const made: TreeEntry[] = [];
    const taken = new Set<string>();
    for (const { parent, name, value, ...rest } of list) {
      const dirs = ["", ...made.filter(({ kind }) => kind === "dir").map((one) => one.path)];
      const files = made.filter(({ kind }) => kind === "file");
      const at = path.posix.join(dirs[parent % dirs.length] ?? "", name);
      if (taken.has(at)) continue;
      taken.add(at);
      const kind = rest.kind;
      const to = files[parent % Math.max(files.length, 1)];
      if (kind === "hardlink" && !to) continue;
      const target = kind === "hardlink" ? to?.path : kind === "symlink" ? `../${name}` : undefined;
      const may = kind === "dir" || kind === "file" ? rest.xattrs : [];
      const valueOf = (name: string): string => (name.startsWith("system") ? ACL : value);
      const xattrs = Object.fromEntries(may.map((name) => [name, valueOf(name)]));
      const mode = kind === "dir" && !root ? rest.mode | 0o700 : rest.mode;
      made.push({ ...rest, kind, mode, path: at, target, xattrs });
    }
    return made;
  });
}

describe("damage and interruption", () => {
  it("never gives damaged data back, and names the chunk", async () => {
    const before = new Set(bench.chunks());
    const folder = bench.folder(randomBytes(1 << 20));
    for (const [id, key] of [
      ["damaged", []],
      ["damaged-encrypted", ["--keyfile", bench.keyFile]],
    ] as const) {
      expect((await backup(id, folder, ...key)).code).toBe(0);
      const fresh = bench.chunks().filter((chunk) => !before.has(chunk));
      const big = fresh.find((chunk) => fs.statSync(chunk).size > 1 << 20) as string;
      const raw = fs.readFileSync(big);
      const restore = ["restore", `host/${id}`, "data.pxar", bench.fresh(), ...VOLUMES, ...key];
      for (const at of [0, 9, 100, raw.length - 1]) {
        const bad = Buffer.from(raw);
        bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
        fs.writeFileSync(big, bad);
        const ran = await bench.run(restore);
        expect(ran.code).toBe(255);
        expect(ran.err).toContain(`reading chunk ${path.basename(big)} failed`);
      }
      fs.rmSync(big);
      expect((await bench.run(restore)).err).toMatch(/reading chunk .* No such file|no such file/);
      fs.writeFileSync(big, raw);
      fs.rmSync(restore[3] as string, { recursive: true, force: true });
      await bench.ok(restore);
      fresh.forEach((chunk) => before.add(chunk));
    }
  });

  it("notices a changed manifest, index and blob", async () => {
    const folder = bench.folder("x");
    const key = ["--keyfile", bench.keyFile];
    const conf = `meta.conf:${path.join(folder, "file")}`;
    expect((await backup("tampered", folder, conf, ...key)).code).toBe(0);
    const name = snapshot((await snapshots("tampered"))[0] as Item);
    const at = path.join(bench.store, "ns/node1/ns/volumes", name);
    const restore = async (archive: string): Promise<string> =>
      (await bench.run(["restore", name, archive, "-", ...VOLUMES, ...key])).err;
    const file = (archive: string): string => path.join(at, archive);
    const index = fs.readFileSync(file("data.pxar.didx"));
    index.writeUInt8(index.readUInt8(4100) ^ 1, 4100);
    fs.writeFileSync(file("data.pxar.didx"), index);
    expect(await restore("data.pxar")).toMatch(/Error: data.pxar.didx: wrong checksum/);
    const blob = fs.readFileSync(file("meta.conf.blob"));
    blob.writeUInt8(blob.readUInt8(50 % blob.length) ^ 1, 44);
    fs.writeFileSync(file("meta.conf.blob"), blob);
    expect(await restore("meta.conf")).toContain("wrong checksum for file 'meta.conf.blob'");
    const manifest = fs.readFileSync(file("index.json.blob"));
    const text = manifest
      .subarray(12)
      .toString()
      .replace(/"size": \d+/, '"size": 1');
    const head = Buffer.from(manifest.subarray(0, 12));
    head.writeUInt32LE(crc32(Buffer.from(text)), 8);
    fs.writeFileSync(file("index.json.blob"), Buffer.concat([head, Buffer.from(text)]));
    expect(await restore("data.pxar")).toContain("wrong signature in manifest");
    // Neither does such an index let anything be taken for garbage.
    const collected = await bench.run(["garbage-collect"], LOGINS.admin);
    expect(collected.err).toContain("data.pxar.didx: wrong checksum of index file");
    await bench.ok(["forget", name, ...VOLUMES], LOGINS.admin);
  });

  it("says that it is full, keeps what is there, and goes on when there is room", async () => {
    const folder = bench.folder(randomBytes(6 << 20));
    expect((await backup("full", bench.folder("small"))).code).toBe(0);
    const { used } = await bench.json<{ used: number }>(["status"], LOGINS.admin);
    const quota = (bytes: number): void => {
      bench.change(({ datastores }) => Object.assign(datastores[0] ?? {}, { quota: bytes }));
    };
    quota(1 << 20);
    const ran = await backup("full", folder);
    expect(ran.code).toBe(255);
    expect(ran.err).toMatch(
      /Error: .*inserting chunk on store 'store' failed for [0-9a-f]{64} - No space left on device \(os error 28\)/,
    );
    expect(await snapshots("full")).toHaveLength(1);
    await bench.ok(["restore", "host/full", "data.pxar", bench.fresh(), ...VOLUMES]);
    expect(await bench.json(["status"], LOGINS.admin)).toMatchObject({ total: 1 << 20, avail: 0 });
    quota(0);
    expect((await backup("full", folder)).code).toBe(0);
    expect(await snapshots("full")).toHaveLength(2);
    expect(used).toBeGreaterThan(0);
  });

  it("serves several clients at once, one a group", async () => {
    const contents = [randomBytes(3 << 20), randomBytes(3 << 20)];
    const folders = Array.from({ length: 5 }, (_, i) => bench.folder(contents[i % 2]));
    const ran = await Promise.all(folders.map((folder, i) => backup(`many-${i}`, folder)));
    expect(ran.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    for (const [i, folder] of folders.entries()) {
      const target = bench.fresh("target");
      await bench.ok(["restore", `host/many-${i}`, "data.pxar", target, ...VOLUMES]);
      expect(await tellTree(target)).toEqual(await tellTree(folder));
    }
    const { child, done } = await slowBackup("contended");
    const other = await backup("contended", bench.folder());
    expect(other.err).toContain("another backup is already running");
    child.kill("SIGKILL");
    await done;
  });

  /** A backup that has begun, and is stopped there. */
  async function slowBackup(id: string): Promise<ReturnType<typeof start>> {
    const folder = bench.folder(randomBytes(64 << 20));
    clock += 1;
    const args = [
      "backup",
      `data.pxar:${folder}`,
      "--backup-id",
      id,
      "--backup-time",
      String(clock),
    ];
    const running = start(
      bench.program("proxmox-backup-client"),
      [...args, ...VOLUMES],
      bench.env(),
    );
    const staging = path.join(bench.store, ".staging");
    for (let i = 0; i < 500 && fs.readdirSync(staging).length === 0; i++) await sleep(10);
    running.child.kill("SIGSTOP");
    return running;
  }

  const settled = async (): Promise<void> => {
    const staging = path.join(bench.store, ".staging");
    for (let i = 0; i < 200 && fs.readdirSync(staging).length > 0; i++) await sleep(50);
    expect(fs.readdirSync(staging)).toEqual([]);
  };

  it("shows nothing of a backup whose client is killed, and takes the next one", async () => {
    expect((await backup("killed", bench.folder("first"))).code).toBe(0);
    const { child, done } = await slowBackup("killed");
    expect(await snapshots("killed")).toHaveLength(1);
    child.kill("SIGKILL");
    expect((await done).signal).toBe("SIGKILL");
    await settled();
    expect(await snapshots("killed")).toHaveLength(1);
    expect((await backup("killed", bench.folder("second"))).code).toBe(0);
    expect(await snapshots("killed")).toHaveLength(2);
  });

  it("loses nothing when the server is killed, and cleans up when it starts", async () => {
    expect((await backup("server", bench.folder("first"))).code).toBe(0);
    const { child, done } = await slowBackup("server");
    process.kill(bench.server.pid, "SIGKILL");
    child.kill("SIGCONT");
    const ran = await done;
    expect(ran.code).toBe(255);
    expect(ran.err).toMatch(/Error: .*(connection|connect)/);
    await sleep(200);
    expect((await bench.run(["list", ...VOLUMES])).err).toContain("Connection refused");
    const chunks = bench.chunks().length;
    const { fingerprint, port } = bench.server;
    await bench.start();
    expect(bench.server).toMatchObject({ fingerprint, port });
    expect(bench.log).toContain("removing unfinished backup");
    await settled();
    expect(bench.chunks().length).toBeLessThanOrEqual(chunks);
    expect(await snapshots("server")).toHaveLength(1);
    await bench.ok(["restore", "host/server", "data.pxar", bench.fresh(), ...VOLUMES]);
    expect((await backup("server", bench.folder("second"))).code).toBe(0);
  });

  it("refuses a second server on the same state", async () => {
    const second = await execute(bench.program("pbs-server"), ["serve", bench.server.settingsFile]);
    expect(second).toMatchObject({
      code: 255,
      err: expect.stringContaining("another server") as string,
    });
  });
});

describe("upkeep", () => {
  /** A snapshot at a time, of next to nothing. */
  const at = async (id: string, when: string): Promise<void> => {
    const epoch = String(Date.parse(when) / 1000);
    const args = ["backup", `a.conf:${bench.keyFile}`, "--backup-id", id, "--backup-time", epoch];
    await bench.ok([...args, ...VOLUMES], LOGINS.power);
  };
  const prune = (id: string, ...more: string[]): Promise<(Item & { keep: boolean })[]> =>
    bench.json(["prune", `host/${id}`, ...VOLUMES, ...more], LOGINS.power);

  it("prunes as documented, dry first", async () => {
    const times = ["2026-02-27T02:30:00Z", "2026-03-01T01:00:00Z", "2026-03-01T02:30:00Z"];
    times.push("2026-03-02T02:30:00Z", "2026-03-09T02:30:00Z");
    for (const when of times) await at("pruned", when);
    const kept = async (...more: string[]): Promise<boolean[]> =>
      (await prune("pruned", "--dry-run", ...more)).map(({ keep }) => keep);
    expect(await kept()).toEqual([true, true, true, true, true]);
    expect(await kept("--keep-last", "2")).toEqual([false, false, false, true, true]);
    expect(await kept("--keep-daily", "3")).toEqual([false, false, true, true, true]);
    expect(await kept("--keep-weekly", "2")).toEqual([false, false, false, true, true]);
    // Weeks 2026-W11 and W10 are covered by what days keep, so the next is W9's.
    expect(await kept("--keep-daily", "2", "--keep-weekly", "1")).toEqual([
      ...[false, false, true],
      ...[true, true],
    ]);
    expect(await snapshots("pruned")).toHaveLength(5);
    const first = `host/pruned/${times[0] ?? ""}`;
    await bench.ok(["snapshot", "protected", "update", first, "true", ...VOLUMES], LOGINS.power);
    expect(
      (await bench.run(["snapshot", "forget", first, ...VOLUMES], LOGINS.power)).err,
    ).toContain("cannot remove protected snapshot");
    await prune("pruned", "--keep-last", "1");
    expect((await snapshots("pruned")).map(snapshot)).toEqual([
      first,
      `host/pruned/${times.at(-1) ?? ""}`,
    ]);
    await bench.ok(["snapshot", "protected", "update", first, "false", ...VOLUMES], LOGINS.power);
    await bench.ok(["forget", first, ...VOLUMES], LOGINS.power);
    expect(await snapshots("pruned")).toHaveLength(1);
  });

  it("keeps notes", async () => {
    await at("noted", "2026-03-01T01:00:00Z");
    const name = "host/noted/2026-03-01T01:00:00Z";
    const update = ["snapshot", "notes", "update", name, "node: proj-docker02\nmore", ...VOLUMES];
    await bench.ok(update, LOGINS.power);
    const show = ["snapshot", "notes", "show", name, ...VOLUMES];
    expect(await bench.json(show, LOGINS.power)).toEqual({ notes: "node: proj-docker02\nmore" });
    expect((await snapshots("noted"))[0]).toMatchObject({ comment: "node: proj-docker02" });
    await bench.ok(["restore", name, "a.conf", "-", ...VOLUMES], LOGINS.power);
  });

  it("collects garbage, but nothing a snapshot needs", async () => {
    const [kept, gone] = [bench.folder("kept"), bench.folder("gone")];
    for (const [id, folder] of [
      ["kept", kept],
      ["gone", gone],
    ] as const)
      expect((await backup(id, folder, "--keyfile", bench.keyFile)).code).toBe(0);
    const before = bench.chunks().length;
    const name = snapshot((await snapshots("gone"))[0] as Item);
    await bench.ok(["snapshot", "forget", name, ...VOLUMES], LOGINS.admin);
    expect(bench.chunks()).toHaveLength(before);
    const { out } = await bench.ok(["garbage-collect"], LOGINS.admin);
    expect(out).toMatch(/Removed chunks: [1-9]/);
    expect(bench.chunks().length).toBeLessThan(before);
    const target = bench.fresh("target");
    await bench.ok([
      "restore",
      "host/kept",
      "data.pxar",
      target,
      ...VOLUMES,
      "--keyfile",
      bench.keyFile,
    ]);
    expect(await tellTree(target)).toEqual(await tellTree(kept));
    expect(await bench.json<Item[]>(["list", ...VOLUMES])).not.toContainEqual(
      expect.objectContaining({ "backup-id": "gone" }),
    );
  });

  it("takes no snapshot older than the last", async () => {
    await at("ordered", "2026-03-02T01:00:00Z");
    await expect(at("ordered", "2026-03-01T01:00:00Z")).rejects.toThrow(
      "backup timestamp is older than last backup",
    );
  });
});

describe("lab wiring", () => {
  it("adds what an older lab's credentials lack, once", async () => {
    const stateDir = bench.fresh("lab");
    fs.mkdirSync(stateDir);
    const old = { privateKeyFile: "/k", publicKey: "ssh-ed25519 A", passphrase: "p" };
    fs.writeFileSync(path.join(stateDir, "credentials.json"), JSON.stringify(old));
    const made = await readCredentials({ name: "x", stateDir, runDir: stateDir });
    // The key lies with the instance, wherever that came from.
    expect(made).toMatchObject({ ...old, privateKeyFile: path.join(stateDir, "id_ed25519") });
    expect(made.pbs.backupSecrets["proj-docker02"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(await readCredentials({ name: "x", stateDir, runDir: stateDir })).toEqual(made);
    const settings = pbsSettings("/root", 1, pbsLogins(made.pbs));
    expect(settings.datastores.map(({ name }) => name)).toEqual(["docker", "pbs01"]);
    const roles = settings.acl.filter(({ auth }) => auth.includes("!"));
    expect(roles.map(({ auth, role, path: at }) => [auth, role, at])).toEqual([
      ["backup@pbs!proj-docker01", "DatastoreBackup", "/datastore/docker/proj-docker01"],
      ["backup@pbs!proj-docker02", "DatastoreBackup", "/datastore/docker/proj-docker02"],
      ["restore@pbs!workstation", "DatastoreReader", "/datastore/docker"],
      ["pve@pbs!pbs01", "DatastorePowerUser", "/datastore/pbs01"],
    ]);
  });
});
