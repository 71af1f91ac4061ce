import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { loadSettings } from "../../config/load";
import { serverCommands } from "../../commands/backups/server";
import { prodNode, stackFile } from "../support/settings";

const SCRIPT = path.join(__dirname, "../../commands/backups/pbs-server");
const { proxmox } = loadSettings(stackFile("prod"));
const SECRET = "d63e505a-e3ec-449a-9bc7-1da610d4ccde";

let scratch: string;
beforeEach(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), "pbs-server-"));
});
afterEach(() => {
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** What a server has, as its lists tell it; a list that fails is null. */
type Lists = Record<string, string | null>;

const EVERYTHING: Lists = {
  "datastore list": '[{"name":"docker"}]',
  "api get /admin/datastore/docker/namespace":
    '[{"ns":""},{"ns":"a1"},{"ns":"a1/volumes"},{"ns":"a1/configuration"},{"ns":"a1/images"}]',
  "user list": '[{"userid": "backup@pbs"},{"userid": "restore@pbs"}]',
  "user list-tokens backup@pbs": '[{"tokenid":"backup@pbs!a1"}]',
  "user list-tokens restore@pbs": '[{"tokenid":"restore@pbs!workstation"}]',
  "prune-job list": '[{"id":"a1-volumes"},{"id":"a1-configuration"},{"id":"a1-images"}]',
  "verify-job list": '[{"id":"a1-verify"}]',
};

/** Runs the script with programs that answer lists and write down everything else. */
function run(
  lists: Lists,
  ...args: string[]
): { code: number; out: string; err: string; did: string[] } {
  const log = path.join(scratch, "log");
  fs.writeFileSync(log, "");
  // Its result as text makes the real one panic, once what was asked for is done.
  const create = `"api create"*) case "$*" in *"--output-format json") ;; *) note "$@"; echo panicked >&2; exit 101;; esac;;`;
  const cases = Object.entries(lists).map(([command, answer]) => {
    const does = answer === null ? "exit 1" : `echo '${answer}'; exit`;
    return `"${command} --output-format json") ${does};;`;
  });
  const generated = `"user generate-token"*) printf 'Result: {\\n  "value": "${SECRET}"\\n}\\n';;`;
  const cert = `"cert info") echo "Fingerprint (sha256): aa:bb"; exit;;`;
  const fake = `#!/bin/sh
note() { printf '%s' "$(basename "$0" | sed s/proxmox-backup-//)" >>"${log}"; printf ' %s' "$@" >>"${log}"; echo >>"${log}"; }
case "$*" in ${create} ${cases.join("\n")} *"--output-format json") echo '[]'; exit;; ${cert} ${generated} esac
note "$@"\n`;
  for (const name of ["proxmox-backup-manager", "proxmox-backup-debug"])
    fs.writeFileSync(path.join(scratch, name), fake, { mode: 0o755 });
  const env = { ...process.env, PATH: `${scratch}:${process.env["PATH"] ?? ""}` };
  // As ssh gets it: the parts in the order of their names, on standard input.
  const ran = spawnSync("bash", ["-c", `cat ${SCRIPT}/*.sh | bash -s -- "$@"`, "", ...args], {
    env,
    encoding: "utf8",
  });
  const did = fs.readFileSync(log, "utf8").split("\n").filter(Boolean);
  return { code: ran.status ?? -1, out: ran.stdout, err: ran.stderr, did };
}

test("a server that has nothing yet", () => {
  const { code, out, did } = run({}, "--path", "/mnt/docker", "--vm-datastore", "pbs01", "a1");
  expect(code).toBe(0);
  expect(did).toEqual([
    "manager datastore create docker /mnt/docker --gc-schedule daily",
    "debug api create /admin/datastore/docker/namespace --name a1 --output-format json",
    "debug api create /admin/datastore/docker/namespace --name volumes --parent a1 --output-format json",
    "manager prune-job create a1-volumes --store docker --ns a1/volumes --max-depth 0 --schedule 05:00 --keep-daily 30",
    "debug api create /admin/datastore/docker/namespace --name configuration --parent a1 --output-format json",
    "manager prune-job create a1-configuration --store docker --ns a1/configuration --max-depth 0 --schedule 05:00 --keep-daily 90",
    "debug api create /admin/datastore/docker/namespace --name images --parent a1 --output-format json",
    "manager prune-job create a1-images --store docker --ns a1/images --max-depth 0 --schedule 05:00 --keep-weekly 4",
    "manager verify-job create a1-verify --store docker --ns a1 --schedule 06:00 --ignore-verified true --outdated-after 30",
    "manager user create backup@pbs --comment docker-node: automation, no login",
    "manager user generate-token backup@pbs a1 --comment docker-node",
    "manager acl update /datastore/docker/a1 DatastoreBackup --auth-id backup@pbs",
    "manager acl update /datastore/docker/a1 DatastoreBackup --auth-id backup@pbs!a1",
    "manager user create restore@pbs --comment docker-node: automation, no login",
    "manager user generate-token restore@pbs workstation --comment docker-node",
    "manager acl update /datastore/docker DatastoreReader --auth-id restore@pbs",
    "manager acl update /datastore/docker DatastoreReader --auth-id restore@pbs!workstation",
    "manager user create pve@pbs --comment docker-node: automation, no login",
    "manager user generate-token pve@pbs docker-node --comment docker-node",
    "manager acl update /datastore/pbs01 DatastorePowerUser --auth-id pve@pbs",
    "manager acl update /datastore/pbs01 DatastorePowerUser --auth-id pve@pbs!docker-node",
  ]);
  expect(out).toContain(SECRET); // the server shows it once: here
  for (const name of ["backupToken", "backupKey", "pbsStorageToken"])
    expect(out).toContain(`pulumi config set --secret ${name}`);
  expect(out).toContain("PBS_RESTORE_TOKEN_ID='restore@pbs!workstation'");
  expect(out).toContain("Fingerprint (sha256): aa:bb");
});

test("again, nothing is made twice, and jobs get their values", () => {
  const { code, did, out } = run(EVERYTHING, "a1");
  expect(code).toBe(0);
  expect(did.filter((line) => /create|generate|delete/.test(line))).toEqual([]);
  expect(did.filter((line) => line.includes("-job update"))).toHaveLength(4);
  expect(did.filter((line) => line.includes("acl update"))).toHaveLength(4);
  expect(out).not.toContain("pbsStorageToken");
});

test("a further node gets its own, and --rotate makes new secrets", () => {
  const further = run(EVERYTHING, "a1", "b2").did;
  expect(further.filter((line) => line.includes("generate-token"))).toEqual([
    "manager user generate-token backup@pbs b2 --comment docker-node",
  ]);
  expect(further.filter((line) => line.includes("api create"))).toHaveLength(4);
  expect(further.filter((line) => line.includes("user create"))).toEqual([]);
  const rotated = run(EVERYTHING, "--rotate", "a1").did.filter((line) => line.includes("-token"));
  expect(rotated).toEqual([
    "manager user delete-token backup@pbs a1",
    "manager user generate-token backup@pbs a1 --comment docker-node",
  ]);
  const restore = run(EVERYTHING, "--rotate-restore", "a1").did;
  expect(restore.filter((line) => line.includes("-token"))).toEqual([
    "manager user delete-token restore@pbs workstation",
    "manager user generate-token restore@pbs workstation --comment docker-node",
  ]);
});

test("a token gets back the rights that go with it, also those for nodes that are not named", () => {
  const right = (path: string, ugid: string, more: object = {}): object => ({
    path,
    propagate: true,
    roleid: "DatastoreBackup",
    ugid,
    ugid_type: "user",
    ...more,
  });
  const acl = [
    right("/datastore/docker/a1", "backup@pbs!a1"),
    right("/datastore/docker/b2", "backup@pbs!a1", { propagate: false }),
    right("/datastore/docker/c3", "backup@pbs!a10"),
    right("/datastore/docker", "backup@pbs"),
  ];
  for (const text of [JSON.stringify(acl), JSON.stringify(acl, null, 2)]) {
    const { did } = run({ ...EVERYTHING, "acl list": text }, "--rotate", "a1");
    const at = did.findIndex((line) => line.includes("generate-token"));
    expect(did.slice(at + 1, at + 3)).toEqual([
      "manager acl update /datastore/docker/a1 DatastoreBackup --auth-id backup@pbs!a1 --propagate true",
      "manager acl update /datastore/docker/b2 DatastoreBackup --auth-id backup@pbs!a1 --propagate false",
    ]);
    expect(did.join("\n")).not.toContain("c3");
  }
});

test("VMs that the server prunes: a prune job there, and a token that can only add", () => {
  const { did } = run(
    EVERYTHING,
    ...["--vm-datastore", "pbs01", "--keep-vm", "21", "--vm-namespace", "pve/x", "a1"],
  );
  expect(did).toContain(
    "manager prune-job create docker-node-vm --store pbs01 --ns pve/x --max-depth 0 --schedule 05:30 --keep-daily 21",
  );
  // The restore token sees the job.
  const grants = {
    DatastoreAudit: ["restore@pbs", "restore@pbs!workstation"],
    DatastoreBackup: ["pve@pbs", "pve@pbs!docker-node"],
  };
  expect(did.filter((line) => line.includes("/datastore/pbs01"))).toEqual(
    Object.entries(grants).flatMap(([role, ids]) =>
      ids.map((id) => `manager acl update /datastore/pbs01 ${role} --auth-id ${id}`),
    ),
  );
  // In the nodes' datastore it does already.
  const { did: together } = run(EVERYTHING, "--vm-datastore", "docker", "--keep-vm", "21", "a1");
  expect(together.filter((line) => line.includes("DatastoreAudit"))).toEqual([]);
  const vm = (prunedBy: string): string =>
    serverCommands({
      proxmox,
      nodes: { "proj-docker02": prodNode({ backups: { vm: { prunedBy, keepDays: 21 } } }) },
    }).join();
  expect(vm("server")).toContain("--vm-datastore pbs01 --keep-vm 21");
  expect(vm("job")).not.toContain("--keep-vm");
});

test("prune jobs keep what the configuration says: the command is made from it", () => {
  const keeps = {
    volumes: { keepDays: 14 },
    configuration: { keepDays: 365 },
    images: { keepWeeks: 8 },
  };
  const nodes = { "proj-docker02": prodNode({ backups: keeps }) };
  const [command = "", ...more] = serverCommands({ proxmox, nodes });
  expect(more).toEqual([]);
  expect(command).toMatch(
    /^cat commands\/backups\/pbs-server\/\*\.sh \| ssh root@10\.25\.10\.12 bash -s -- /,
  );
  const args = command.replace(/^.* -- /, "").split(" ");
  const jobs = run({ "datastore list": '[{"name":"docker"}]' }, ...args).did;
  expect(
    jobs.flatMap((line) => /prune-job create (\S+) .*(--keep.*)/.exec(line)?.slice(1) ?? []),
  ).toEqual([
    ...["proj-docker02-volumes", "--keep-daily 14"],
    ...["proj-docker02-configuration", "--keep-daily 365"],
    ...["proj-docker02-images", "--keep-weekly 8"],
  ]);
  expect(jobs.join("\n")).toContain("acl update /datastore/pbs01 DatastorePowerUser");
});

test("the files that the command names are there, from wherever it is printed", () => {
  const before = process.cwd();
  for (const folder of [before, scratch]) {
    process.chdir(folder);
    const [command = ""] = serverCommands({ proxmox, nodes: { a1: prodNode() } });
    const [files = ""] = /^cat .*\*\.sh(?= \| ssh )/.exec(command) ?? [];
    const { status, stdout } = spawnSync("bash", ["-c", files], { encoding: "utf8" });
    process.chdir(before);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^set -euo pipefail$[^]*^main "\$@" <\/dev\/null$/m);
  }
});

test("nodes that keep alike share a command, others have their own, and some have none", () => {
  const own = (name: string, more: object = {}): ReturnType<typeof prodNode> =>
    prodNode({ backups: { server: { tokenId: `backup@pbs!${name}` }, ...more } });
  const longer = own("b2", { images: { keepWeeks: 5 } });
  const nodes = { a1: own("a1"), b2: longer, c3: own("c3"), d4: prodNode({ backups: null }) };
  const commands = serverCommands({ proxmox, nodes });
  expect(commands.map((line) => /--keep-images (.*)$/.exec(line)?.[1])).toEqual([
    "4 a1 c3",
    "5 b2",
  ]);
});

test("tokens are those of the configuration, and one that nodes share is made once", () => {
  const shared = prodNode({ backups: { server: { tokenId: "nightly@pbs!all" } } });
  const own = prodNode({ backups: { server: { tokenId: "backup@pbs!a1" } } });
  const storage = (username: string): typeof proxmox => ({
    ...proxmox,
    ...(proxmox.backupStorage && { backupStorage: { ...proxmox.backupStorage, username } }),
  });
  const settings = {
    proxmox: storage("pve@pbs!other"),
    nodes: { a1: own, b2: shared, c3: shared },
  };
  const [command = ""] = serverCommands(settings);
  expect(command).toMatch(/ a1 'b2=nightly@pbs!all' 'c3=nightly@pbs!all'$/);
  const args = command.replace(/^.* -- |'/g, "").split(" ");
  const { did } = run({ ...EVERYTHING }, "--rotate", ...args);
  expect(did.filter((line) => line.includes("generate-token"))).toEqual(
    ["backup@pbs a1", "nightly@pbs all", "pve@pbs other"].map(
      (token) => `manager user generate-token ${token} --comment docker-node`,
    ),
  );
  for (const node of ["b2", "c3"])
    expect(did).toContain(
      `manager acl update /datastore/docker/${node} DatastoreBackup --auth-id nightly@pbs!all`,
    );
  const [byHand = ""] = serverCommands({ ...settings, proxmox: storage("backup@pbs") });
  expect(byHand).not.toContain("--vm-");
});

test("--dry-run changes nothing", () => {
  const { code, out, did } = run({}, "--dry-run", "--path", "/mnt/docker", "a1");
  expect(code).toBe(0);
  expect(did).toEqual([]);
  expect(out).toContain("proxmox-backup-manager acl update /datastore/docker/a1 DatastoreBackup");
  expect(out).toContain("generate-token backup@pbs a1");
});

test.each<[string, string[], RegExp]>([
  ["no node", [], /usage: pbs-server /],
  ["an unknown argument", ["--nonsense", "a1"], /unknown argument: --nonsense/],
  ["an option without value", ["a1", "--datastore"], /--datastore takes a value/],
  ["a bad name", ["a/1"], /not a name: 'a\/1'; letters, digits/],
  ["a bad datastore", ["--datastore", "x y", "a1"], /not a name: 'x y'/],
  ["a name too long for its jobs", ["a-very-long-name-of-a-node"], /too long.*18 characters/],
  ["no name before a token", ["=backup@pbs!a1"], /not a name: ''/],
  ["what is no token", ["a1=backup@pbs"], /not an API token: 'backup@pbs'; user@realm!name/],
  ["no token for VMs", ["--vm-token", "root", "a1"], /not an API token: 'root'/],
  ["nothing kept", ["--keep-images", "0", "a1"], /--keep-images: '0'; 1 to 9999/],
  ["no datastore for VMs", ["--keep-vm", "3", "a1"], /--keep-vm and --vm-namespace need --vm-data/],
  ["nothing kept of VMs", ["--vm-datastore", "x", "--keep-vm", "0", "a1"], /--keep-vm: '0'; 1 to/],
  [
    "a bad namespace",
    ["--vm-datastore", "x", "--vm-namespace", "/", "a1"],
    /not a namespace: '\/'/,
  ],
  ["an unknown kind", ["--keep-logs", "3", "a1"], /unknown argument: --keep-logs/],
  ["a datastore that is not there", ["a1"], /no datastore 'docker': name its directory by --path/],
])("refuses %s, before anything is touched", (_what, args, message) => {
  const { code, err, did } = run({}, ...args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
  expect(did).toEqual([]);
});

test("stops where the server refuses something", () => {
  const { code, err, did } = run({ ...EVERYTHING, "prune-job list": null }, "a1");
  expect(code).toBe(2);
  expect(err).toContain("this failed: proxmox-backup-manager prune-job list");
  expect(did).toEqual([]);
});
