import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { CONFIGURATION_MOUNTS, isDaily, repositoryOf, toCron } from "../../config/backups";
import { isWithin } from "../../config/checks/workloads/mounts";
import { loadSettings, merge } from "../../config/load";
import { readConfigurationPaths } from "../../commands/backups/survey";
import { pathsOf, ROLES } from "../../commands/doctor/privileges";
import runStack from "../../index";
import { describeDifference, parseChecks, renderChecks } from "../../node/checks";
import { assignVariables, renderScript } from "../../node/scripts";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorded, type Recorder } from "../support/mocks";
import { problems, prodNode, prodWith } from "../support/settings";

const NODE = "proj-docker02";
/** How the SDK marks a secret that travels. */
const SECRET_MARK = "4dabf18193072939515e22adb298388d";
const FINGERPRINT = Array.from({ length: 32 }, () => "AB").join(":");

const problemsWith = (backups: unknown): string[] => problems(prodWith({ backups }));

describe("production", () => {
  test("is backed up as the specification says", () => {
    expect(prodNode().backups).toMatchObject({
      server: { port: 8007, datastore: "docker", tokenId: "backup@pbs!proj-docker02" },
      volumes: { schedule: "02:30", keepDays: 30 },
      configuration: { schedule: "02:45", keepDays: 90, paths: [] },
      images: { schedule: "sun 03:00", keepWeeks: 4 },
      vm: {
        schedule: "03:30",
        keepDays: 30,
        storage: "pbs01",
        mode: "snapshot",
        repeatMissed: true,
      },
    });
  });

  test("schedules and retention are the defaults too", () => {
    const { backups } = prodNode();
    const only = { server: backups?.server, image: backups?.image, vm: { storage: "pbs01" } };
    const raw = prodWith({});
    const defaults = merge(merge(raw.defaults, { backups: null }), { backups: only });
    expect(loadSettings({ ...raw, defaults }).nodes[NODE]?.backups).toEqual(backups);
  });
});

describe("schedules", () => {
  test.each([
    ["02:30", "30 2 * * *"],
    ["00:00", "0 0 * * *"],
    ["sun 03:00", "0 3 * * 0"],
    ["sat 23:59", "59 23 * * 6"],
  ])("%s is %s for cron", (schedule, cron) => {
    expect(toCron(schedule)).toBe(cron);
    expect(isDaily(schedule)).toBe(!schedule.includes(" "));
  });

  test.each(["2:30", "24:00", "02:60", "sun", "Sun 03:00", "sun  03:00", "daily", "*:0/15", ""])(
    "%j is refused",
    (schedule) => {
      expect(problemsWith({ images: { schedule } })).toEqual([
        `nodes.${NODE}.backups.images.schedule: ${JSON.stringify(schedule)}; allowed: a time of day, such as "02:30", or of a week, such as "sun 03:00"`,
      ]);
      expect(() => toCron(schedule)).toThrow("not a schedule");
    },
  );

  test("whatever is accepted has five fields for cron, and nothing else in them", () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^([a-z]{3} )?\d{1,2}:\d{2}$/));
    fc.assert(
      fc.property(text, (schedule) => {
        if (problemsWith({ images: { schedule } }).length > 0) return true;
        return /^\d{1,2} \d{1,2} \* \* [\d*]$/.test(toCron(schedule));
      }),
      { numRuns: 300 },
    );
  });
});

/** [what, override of production's backups, expected beginning of the only problem] */
const REFUSED: [string, unknown, RegExp][] = [
  [
    "a short fingerprint",
    { server: { fingerprint: "AB:CD" } },
    /server.fingerprint: "AB:CD"; allowed: a SHA-256 fingerprint: 32 pairs/,
  ],
  [
    "no fingerprint",
    { server: { fingerprint: null } },
    /server.fingerprint: missing; allowed: a text/,
  ],
  [
    "a user instead of a token",
    { server: { tokenId: "backup@pbs" } },
    /server.tokenId: "backup@pbs"; allowed: an API token/,
  ],
  ["a token with its secret", { server: { tokenId: "backup@pbs!a=1" } }, /server.tokenId/],
  [
    "a URL as address",
    { server: { address: "https://pbs01" } },
    /server.address: .*an IPv4 address or a host name/,
  ],
  ["an address that is none", { server: { address: "10.25.300.1" } }, /server.address/],
  ["a datastore with a slash", { server: { datastore: "a/b" } }, /server.datastore/],
  [
    "an image without digest",
    { image: "registry.example.org/backup:1" },
    /backups.image: .*version and digest/,
  ],
  ["nothing kept", { volumes: { keepDays: 0 } }, /volumes.keepDays: 0; allowed: at least 1/],
  [
    "weeks without end",
    { images: { keepWeeks: 1e6 } },
    /images.keepWeeks: 1000000; allowed: at most 520/,
  ],
  [
    "a week between volumes",
    { volumes: { schedule: "sun 02:30" } },
    /volumes.schedule: "sun 02:30"; allowed: a time of day, .*24 hours/,
  ],
  [
    "a week between VM backups",
    { vm: { schedule: "mon 03:30" } },
    /vm.schedule: "mon 03:30"; allowed: a time of day/,
  ],
  [
    "two kinds at once",
    { configuration: { schedule: "02:30" } },
    /configuration.schedule: "02:30"; allowed: a time of its own; volumes starts at 02:30/,
  ],
  [
    "the VM at the time of the images",
    { vm: { schedule: "03:00" } },
    /vm.schedule: "03:00"; allowed: a time of its own; images/,
  ],
  [
    "an unknown mode",
    { vm: { mode: "live" } },
    /vm.mode: "live"; allowed: "snapshot", "suspend", "stop"/,
  ],
  ["notes of two lines", { vm: { notesTemplate: "a\nb" } }, /vm.notesTemplate: .*one line/],
  [
    "a relative path",
    { configuration: { paths: ["opt"] } },
    /configuration.paths.0: "opt"; allowed: an absolute path/,
  ],
  ["a path that climbs", { configuration: { paths: ["/opt/../root"] } }, /configuration.paths.0/],
  ["a path with a space", { configuration: { paths: ["/opt/a b"] } }, /configuration.paths.0/],
  ...["/etc/ssh", "/root/.ssh", "/run/docker.sock", "/var", "/var/lib/docker-node/secrets"].map(
    (path): [string, unknown, RegExp] => [
      `${path} without a waiver`,
      { configuration: { paths: [path] } },
      /configuration.paths.0: ".*"; allowed: .*; or a waiver with id backup-system-paths/,
    ],
  ),
  ["prune by the node", { volumes: { prune: true } }, /volumes.prune: true; allowed: not a key/],
];

describe("refused", () => {
  test.each(REFUSED)("%s", (_what, override, expected) => {
    expect(problemsWith(override)).toEqual([expect.stringMatching(expected)]);
  });

  test("a storage with a port, which the provider could not pass on", () => {
    const raw = prodWith({});
    const proxmox = merge(raw.proxmox, { backupStorage: { port: 8007, namespace: "a//b" } });
    expect(problems({ ...raw, proxmox })).toEqual([
      expect.stringMatching(/^proxmox.backupStorage.namespace: "a\/\/b"; allowed: a namespace/),
      expect.stringMatching(/^proxmox.backupStorage.port: 8007; allowed: not a key/),
    ]);
  });
});

const key = privateKey();

/** Runs the program on production, with `override` on the node and `proxmox` on the cluster. */
async function run(
  override: unknown = {},
  { proxmox = {}, preview = false, config = {} } = {},
): Promise<Recorder> {
  const raw = prodWith({});
  const node = merge(raw.defaults, { ssh: key.ssh });
  const recorder = await startPulumi({
    preview,
    config: {
      "docker-node:proxmox": JSON.stringify(merge(raw.proxmox, proxmox)),
      "docker-node:nodes": JSON.stringify({ [NODE]: merge(node, override) }),
      "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
      "docker-node:agentSecret": "a-secret-of-some-length",
      ...config,
    },
  });
  await runStack();
  await settle(recorder);
  return recorder;
}

const container = (recorder: Recorder): Recorded =>
  recorder.find("docker:index/container:Container", `${NODE}-backups-container`);

const secrets = (recorder: Recorder): Recorded =>
  recorder.find("command:remote:Command", `${NODE}-backups-secrets`);

test("secrets go with the section backups, before a node is trusted without them", async () => {
  const { inputs } = secrets(await run());
  expect(inputs.delete).toBe(
    "cat >/dev/null; sudo -n rm -rf -- /var/lib/docker-node/secrets/backup",
  );
});

describe("the backup container", () => {
  test("sets everything that would otherwise come back as a difference", async () => {
    const { inputs } = container(await run());
    expect(inputs).toMatchObject({
      name: "docker_node_backup",
      restart: "always",
      usernsMode: "host",
      networkMode: "bridge",
      capabilities: {
        drops: [
          ...["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW"],
          ...["CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"],
        ],
      },
      logDriver: "json-file",
      logOpts: { "max-size": "100m", "max-file": "3" },
      memory: 1024,
      memorySwap: 1024,
      stopTimeout: 120,
      destroyGraceSeconds: 120,
    });
    expect(inputs.image).toMatch(
      /^sha256:id-of-registry.example.org\/platform\/docker-node-backup:/,
    );
  });

  test("gets the server and the schedules", async () => {
    expect(container(await run()).inputs.envs).toEqual([
      "NODE_NAME=proj-docker02",
      "PBS_REPOSITORY=backup@pbs!proj-docker02@10.25.10.12:8007:docker",
      expect.stringMatching(/^PBS_FINGERPRINT=([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
      "SCHEDULE_VOLUMES=30 2 * * *",
      "SCHEDULE_CONFIGURATION=45 2 * * *",
      "SCHEDULE_IMAGES=0 3 * * 0",
      "CONFIGURATION_PATHS=",
    ]);
  });

  test("reads the volumes where the daemon keeps them, and writes nowhere but to its state", async () => {
    const { inputs } = container(
      await run({ backups: { configuration: { paths: ["/opt/compose", "/etc/docker/certs.d"] } } }),
    );
    expect(inputs.mounts).toEqual([
      {
        type: "bind",
        source: "/var/lib/docker/231072.231072/volumes",
        target: "/volumes",
        readOnly: true,
        bindOptions: { propagation: "rslave" },
      },
    ]);
    expect(inputs.volumes).toEqual([
      { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" },
      { hostPath: "/var/lib/docker-node/backup", containerPath: "/state" },
      {
        hostPath: "/var/lib/docker-node/secrets/backup",
        containerPath: "/etc/docker-node",
        readOnly: true,
      },
      ...[...CONFIGURATION_MOUNTS, "/opt/compose"].map((path) => ({
        ...{ hostPath: path, containerPath: `/host${path}` },
        readOnly: true,
      })),
    ]);
    expect(inputs.envs).toContain("CONFIGURATION_PATHS=/opt/compose /etc/docker/certs.d");
    expect(inputs).toMatchObject({
      readOnly: true,
      tmpfs: { "/run": expect.any(String) as unknown, "/tmp": expect.any(String) as unknown },
    });
  });

  test("mounts of /etc what it backs up, and no file that says who gets in", () => {
    for (const path of readConfigurationPaths())
      expect(CONFIGURATION_MOUNTS.some((mount) => isWithin(path, mount))).toBe(true);
    for (const file of ["/etc/shadow", "/etc/ssh/ssh_host_ed25519_key", "/etc/sudoers.d/x"])
      expect(CONFIGURATION_MOUNTS.some((mount) => isWithin(file, mount))).toBe(false);
  });

  test("gets token and key from the node's script, which has them as secrets, and from nowhere else", async () => {
    const recorder = await run();
    const text = JSON.stringify(secrets(recorder).inputs.stdin);
    expect(text).toContain(SECRET_MARK);
    expect(text).toContain("TOKEN='secret-of-the-backup-token'");
    expect(text).toContain("KEY='");
    const others = recorder.resources.filter((one) => one !== secrets(recorder));
    const elsewhere = JSON.stringify(others.map(({ inputs }) => inputs));
    expect(elsewhere).not.toMatch(/secret-of-the-backup-token|secret-backup-key/);
  });

  test("takes a token of its own where there is one", async () => {
    const config = { [`docker-node:backupToken-${NODE}`]: "token-of-this-node" };
    const text = JSON.stringify(secrets(await run({}, { config })).inputs.stdin);
    expect(text).toContain("token-of-this-node");
    expect(text).not.toContain("secret-of-the-backup-token");
  });

  test("is on the node's own Docker provider", async () => {
    const { provider } = container(await run());
    expect(provider).toContain(`${NODE}-docker`);
  });

  test("accepts another port, and a server by name", () => {
    const { backups } = prodNode({
      backups: { server: { address: "pbs01.example.org", port: 8008 } },
    });
    expect(backups && repositoryOf(backups)).toBe(
      "backup@pbs!proj-docker02@pbs01.example.org:8008:docker",
    );
  });
});

const JOB = "proxmoxve:backup/job:Job";
const STORAGE = "proxmoxve:storage/pbs:Pbs";

describe("backup-secrets.sh", () => {
  const root = mkdtempSync(join(tmpdir(), "docker-node-secrets-"));
  const folder = join(root, "var/lib/docker-node/secrets/backup");
  const write = (values: Record<string, string>): SpawnSyncReturns<string> => {
    const input = renderScript("backup-secrets", { ROOT_DIR: root, ...values });
    return spawnSync("bash", ["-s"], { input, encoding: "utf8" });
  };
  const modeOf = (path: string): number => statSync(path).mode & 0o7777;

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  test("writes both secrets for root alone, prints neither, and replaces a changed one", () => {
    for (const token of ["the-first-token", "the-second-token"]) {
      const { status, stdout, stderr } = write({ TOKEN: token, KEY: '{"kdf":null}' });
      expect([status, stderr]).toEqual([0, ""]);
      expect(JSON.parse(stdout)).toEqual({ directory: "/var/lib/docker-node/secrets/backup" });
      expect(readFileSync(join(folder, "token"), "utf8")).toBe(`${token}\n`);
    }
    expect(readFileSync(join(folder, "key.json"), "utf8")).toBe('{"kdf":null}\n');
    expect([folder, join(folder, "..")].map(modeOf)).toEqual([0o700, 0o700]);
    expect(["token", "key.json"].map((name) => modeOf(join(folder, name)))).toEqual([0o400, 0o400]);
  });

  test("makes files that the container mounts, and leaves those that are there", () => {
    const file = (name: string): string => join(root, "etc", name);
    rmSync(join(root, "etc"), { recursive: true, force: true });
    expect(write({ TOKEN: "a", KEY: "b" }).status).toBe(0);
    expect(["subuid", "subgid"].map((name) => readFileSync(file(name), "utf8"))).toEqual(["", ""]);
    for (const path of CONFIGURATION_MOUNTS) lstatSync(join(root, path));
    expect(readlinkSync(file("localtime"))).toBe("/usr/share/zoneinfo/UTC");
    writeFileSync(file("subuid"), "dockremap:231072:65536\n");
    expect(write({ TOKEN: "a", KEY: "b" }).status).toBe(0);
    expect(readFileSync(file("subuid"), "utf8")).toBe("dockremap:231072:65536\n");
  });

  test("closes folders that others could read, or write the state in", () => {
    chmodSync(folder, 0o755);
    const state = join(root, "var/lib/docker-node/backup");
    chmodSync(state, 0o777);
    expect(write({ TOKEN: "a", KEY: "b" }).status).toBe(0);
    expect([modeOf(folder), modeOf(state)]).toEqual([0o700, 0o755]);
  });

  describe("in check mode", () => {
    const STEP = { step: "backups-secrets", script: "backup-secrets" } as const;
    const given = { ROOT_DIR: root, TOKEN: "the-token", KEY: '{"kdf":null}' };
    const { ROOT_DIR, ...secrets } = given;

    /** What differs, in words. It may change nothing. */
    function check(values: Record<string, string> = secrets): string[] {
      const before = treeOf(root);
      const variables = assignVariables(values).join("\n");
      const input = `ROOT_DIR='${ROOT_DIR}'\n${renderChecks([{ ...STEP, variables }])}`;
      const { status, stdout, stderr } = spawnSync("bash", ["-s"], { input, encoding: "utf8" });
      expect([status, stderr, treeOf(root)]).toEqual([0, "", before]);
      const { differences, failed } = parseChecks(stdout);
      expect(failed).toEqual([]);
      return differences.map((one) => describeDifference(one).replace("; up puts it right", ""));
    }
    /** Every path with its mode, its owner and when it was changed. */
    const treeOf = (folder: string): string =>
      spawnSync("find", [folder, "-printf", "%p %m %u %T@\n"], { encoding: "utf8" }).stdout;
    const own = (mode: string): string => `${mode}, owner ${process.getuid?.() ?? 0}`;
    const under = "/var/lib/docker-node/secrets/backup";

    beforeEach(() => {
      expect(write(given).status).toBe(0);
    });

    test("it has nothing to say as applied, with the secrets at hand and without", () => {
      expect([check(), check({})]).toEqual([[], []]);
    });

    test("it names files, owners and modes, and never a content; the step puts them right", () => {
      writeFileSync(join(folder, "other"), "by hand");
      rmSync(join(folder, "key.json"));
      chmodSync(join(folder, "token"), 0o644);
      writeFileSync(join(folder, "token"), "typed-by-hand\n");
      chmodSync(folder, 0o755);
      rmSync(join(root, "etc/subgid"));
      const expected = [
        `${under} mode: ${own("0755")} on the node, ${own("0700")} as declared`,
        "/etc/subgid: absent on the node, present as declared",
        `${under}/token: another content on the node, as written as declared`,
        `${under}/token mode: ${own("0644")} on the node, ${own("0400")} as declared`,
        `${under}/key.json: absent on the node, present as declared`,
      ];
      expect(check()).toEqual(expected);
      // The state that `plan` reads has them sealed.
      expect(check({})).toEqual(expected.filter((line) => !line.includes("content")));
      expect(write(given).status).toBe(0);
      expect(check()).toEqual([]);
    });

    test("folders that are gone are named", () => {
      rmSync(join(root, "var"), { recursive: true });
      const gone = ["/var/lib/docker-node/secrets", under, "/var/lib/docker-node/backup"];
      expect(check().map((line) => line.split(" on the node")[0])).toEqual([
        ...gone.map((path) => `${path} mode: absent`),
        `${under}/token: absent`,
        `${under}/key.json: absent`,
      ]);
    });
  });

  test("fails without either of the two secrets", () => {
    const { status, stderr } = write({ TOKEN: "a" });
    expect([status, stderr]).toEqual([1, "docker-node: backup-secrets: KEY is not set\n"]);
  });
});

describe("the VM's backup job", () => {
  test("belongs to the cluster, is named by the VM and keeps what is configured", async () => {
    const job = (await run()).find(JOB, `${NODE}-vm-backup`);
    expect(job.provider).toContain("::proxmox::");
    expect(job.inputs).toEqual({
      resourceId: "docker-node-2019",
      enabled: true,
      vmids: ["2019"],
      schedule: "03:30",
      storage: "pbs01",
      mode: "snapshot",
      notesTemplate: "{{guestname}} ({{vmid}}) on {{node}}",
      repeatMissed: true,
      pruneBackups: { "keep-daily": "30" },
      remove: true,
      protected: false,
    });
  });

  test("prunes nothing where the backup server does: its token may not, and the job would fail", async () => {
    const { inputs } = (await run({ backups: { vm: { prunedBy: "server" } } })).find(JOB);
    expect(inputs).toMatchObject({ pruneBackups: { "keep-all": "1" }, remove: false });
  });

  test("can use fast storage for overwritten blocks (fleecing)", async () => {
    const fleecing = { storage: "nvme-pool" };
    const { inputs } = (await run({ backups: { vm: { fleecing } } })).find(JOB);
    expect(inputs.fleecing).toEqual({ enabled: true, storage: "nvme-pool" });
  });

  test("is left out where the VM is not to be backed up", async () => {
    const recorder = await run({ backups: { vm: null } });
    expect(recorder.all(JOB)).toEqual([]);
    expect(container(recorder).inputs.name).toBe("docker_node_backup");
  });

  test("has its privileges in the role, which nodes without one do not ask for", () => {
    const roles = ROLES.filter(({ role }) => role.startsWith("DockerNodeBackup"));
    const paths = (override: unknown): string[] =>
      roles.flatMap((role) => pathsOf(role, [NODE, prodNode(override)]));
    expect(paths({})).toEqual(["/", "/storage/pbs01"]);
    expect(paths({ backups: { vm: null } })).toEqual([]);
    // Allocate alone lets nobody list what is in a storage.
    const [storage] = roles.filter(({ path }) => path.startsWith("/storage"));
    expect(storage?.privileges.map(({ name }) => name)).toEqual([
      "Datastore.Allocate",
      "Datastore.Audit",
    ]);
  });
});

describe("the backup storage", () => {
  test("is the cluster's, once, with its secrets as secrets", async () => {
    const { inputs, provider } = (await run()).find(STORAGE, "storage-pbs01");
    expect(provider).toContain("::proxmox::");
    expect(inputs).toMatchObject({
      resourceId: "pbs01",
      server: "10.25.10.12",
      datastore: "pbs01",
      username: "pve@pbs!docker-node",
      contents: ["backup"],
    });
    expect(JSON.stringify(inputs.password)).toContain(SECRET_MARK);
    expect(inputs).not.toHaveProperty("encryptionKey");
  });

  test("encrypts VM backups where a key is set", async () => {
    const config = { "docker-node:pbsStorageKey": '{"data":"vm-key"}' };
    const { inputs } = (await run({}, { config })).find(STORAGE);
    expect(JSON.stringify(inputs.encryptionKey)).toContain("vm-key");
  });

  test("has to exist already if it is not declared", async () => {
    const recorder = await run({}, { proxmox: { backupStorage: null } });
    expect(recorder.all(STORAGE)).toEqual([]);
    expect(recorder.find(JOB).inputs.storage).toBe("pbs01");
  });
});

test("a node without backups has none of it and needs no secret", async () => {
  const none = { "docker-node:backupToken": "", "docker-node:backupKey": "" };
  const proxmox = { backupStorage: null };
  const recorder = await run({ backups: null }, { proxmox, config: none });
  const kinds = recorder.resources.map(({ type }) => type);
  expect(kinds.filter((type) => /ackup|storage\/pbs/.test(type))).toEqual([]);
});

test("the preview of an empty stack shows the same resources", async () => {
  const names = ({ resources }: Recorder): string[] => resources.map(({ name }) => name).sort();
  expect(names(await run({}, { preview: true }))).toEqual(names(await run()));
});

test("another fingerprint is accepted", () => {
  expect(problemsWith({ server: { fingerprint: FINGERPRINT } })).toEqual([]);
});
