import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommandLine } from "../../commands/cli";
import type { Print } from "../../commands/command";
import { durationText } from "../../commands/duration";
import { mapCoverage, isLate } from "../../commands/backups/coverage";
import type { Evidence, Row } from "../../commands/backups/evidence";
import { creationOf, sourceOf } from "../../commands/restore/definition";
import { orderByReference, referencesOf } from "../../commands/restore/references";
import { resourcesOnDocker } from "../../clients/pulumi/stack";
import type { Container, Inventory, ItemStatus } from "../../commands/site/inventory";
import { openStack, type Opened } from "../../commands/site/open";
import { pipe, run } from "../../clients/process";
import { connect, readPbsCredentials } from "../../clients/backup-server";
import { choose, type Snapshot } from "../../clients/snapshots";
import { summarize, type Rehearsal } from "../../lab/drill/rehearse";
import { toJson, toTable } from "../../commands/backups/report";
import { serverCommands } from "../../commands/backups/server";
import { quoteWord } from "../../clients/ssh";
import { describe as shown, verdictOn } from "../../commands/restore/describe";
import { perform } from "../../commands/restore/perform";
import type { Recovery } from "../../commands/restore/steps";
import { openedWith } from "../support/opened";
import { FakeSite, pruneJobsOf } from "../support/recovery";
import { prodNode, prodWith, stackFile } from "../support/settings";
import { vmStoreOf } from "../../config/backups";
import type { ProxmoxConfig } from "../../config/schema";
import type { PruneJob } from "../../clients/prune-jobs";
import { readConfigurationPaths } from "../../commands/backups/survey";
import { backupsOf } from "../../commands/site/site";
import { loadSettings } from "../../config/load";

const NOW = new Date("2026-01-31T10:00:00Z");
const at = (time: string): Date => new Date(`2026-01-${time}Z`);

const container = (name: string, more: Partial<Container> = {}): Container => ({
  Id: `${name}0123456789ab`,
  Name: `/${name}`,
  Image: `sha256:${name}`,
  Config: { Image: `registry/${name}:1` },
  HostConfig: {},
  ...more,
});

const INVENTORY: Inventory = {
  root: "/var/lib/docker/231072.231072",
  containers: [
    container("web", {
      Mounts: [
        { Type: "volume", Name: "data", Source: "/v", Destination: "/data" },
        { Type: "bind", Source: "/srv/uploads", Destination: "/uploads" },
        { Type: "bind", Source: "/etc/docker/certs.d", Destination: "/certs" },
        { Type: "tmpfs", Source: "", Destination: "/tmp" },
      ],
    }),
    container("agent", {
      Mounts: [
        { Type: "bind", Source: "/var/run/docker.sock", Destination: "/var/run/docker.sock" },
        { Type: "bind", Source: "/var/lib/docker/231072.231072/volumes", Destination: "/v" },
        { Type: "bind", Source: "/srv/uploads", Destination: "/uploads" },
      ],
    }),
  ],
  volumes: [
    { Name: "data" },
    { Name: "orphan" },
    { Name: "new" },
    { Name: "cache", Labels: { "docker-node.backup": "false" } },
    {
      Name: "data.before-x",
      Labels: { "docker-node.backup": "false", "docker-node.recovery": "data" },
    },
  ],
  images: [{ Id: "sha256:web", RepoTags: ["registry/web:1"] }],
  networks: [],
  status: {
    updated: "2026-01-31T09:00:00Z",
    items: {
      configuration: {
        kind: "configuration",
        lastGood: "2026-01-31T09:00:00Z",
        snapshot: "host/configuration/2026-01-30T02:45:00Z",
        result: "ok",
        error: null,
      },
      "volume/orphan": {
        kind: "volumes",
        lastGood: "2026-01-29T02:30:00Z",
        snapshot: "host/orphan/2026-01-29T02:30:00Z",
        result: "failed",
        error: "no space left",
      },
    },
  },
};

const BACKUPS = backupsOf("proj-docker02", prodNode());

const EVIDENCE: Evidence = {
  node: "proj-docker02",
  backups: BACKUPS,
  pruneJobs: pruneJobsOf("proj-docker02", BACKUPS),
  inventory: INVENTORY,
  snapshots: {
    volumes: [
      { id: "data", takenAt: at("31T02:30:00") },
      { id: "data", takenAt: at("30T02:30:00") },
      { id: "deleted", takenAt: at("30T02:30:00") },
      { id: "orphan", takenAt: at("29T02:30:00") },
      { id: "deleted", takenAt: at("29T02:30:00") },
    ],
    configuration: [{ id: "configuration", takenAt: at("30T02:45:00") }],
    images: [],
  },
  images: [{ snapshot: { id: "images", takenAt: at("25T03:00:00") }, ids: ["sha256:web"] }],
  configurationPaths: ["/etc/docker"],
  vm: { volume: "pbs01:backup/vm/2019/2026-01-31T03:30:00Z", takenAt: at("31T03:30:00") },
  vmId: 2019,
};

describe("coverage", () => {
  const rows = mapCoverage(EVIDENCE, NOW);
  const row = (item: string): Row | undefined => rows.find((one) => one.item === item);

  test("every volume, bind mount and image, the configuration and the VM, for people", () => {
    expect(toTable([{ node: "proj-docker02", rows }])).toMatchInlineSnapshot(`
     "proj-docker02:
       ✓ volume         data                                   7 h 30 min old of 1 d allowed                                used by web
       ✗ volume         orphan                                 2 d 7 h old of 1 d allowed (last run failed: no space left)
       ✗ volume         new                                    never backed up
       - volume         cache                                  excluded (label docker-node.backup=false)
       - volume         data.before-x                          excluded (made by a recovery of data)
       - volume         deleted                                gone
       ! bind mount     /srv/uploads                           not covered (bind mount: only volumes are backed up)         used by web, agent
       ✓ bind mount     /etc/docker/certs.d                    ok (part of the configuration)                               used by web
       - bind mount     /var/run/docker.sock                   no data                                                      used by agent
       ✓ bind mount     /var/lib/docker/231072.231072/volumes  ok (the volumes, each by itself)                             used by agent
       ✓ image          registry/web:1                         6 d 7 h old of 7 d allowed                                   used by web
       ✗ image          registry/agent:1                       never backed up                                              used by agent
       ✓ configuration  configuration                          1 h old of 4 h allowed
       ✓ vm             2019                                   6 h 30 min old of 1 d allowed
       ✓ retention      volumes                                ok (keep-daily 30)
       ✓ retention      configuration                          ok (keep-daily 90)
       ✓ retention      images                                 ok (keep-weekly 4)

     6 within their RPO, 1 beyond it, 2 never backed up, 1 not covered: NOT fresh"
    `);
  });

  test("an unchanged configuration counts as backed up at the node's last check", () => {
    expect(row("configuration")).toMatchObject({ state: "ok", age: 3600 });
    const status = { ...INVENTORY.status, items: {} } as Inventory["status"];
    const silent = { ...EVIDENCE, inventory: { ...INVENTORY, status } };
    expect(mapCoverage(silent, NOW)).toContainEqual(
      expect.objectContaining({ item: "configuration", state: "late" }),
    );
  });

  test("a node's claim without a snapshot on the server does not count", () => {
    const items = {
      "volume/new": {
        kind: "volumes",
        lastGood: "2026-01-31T09:00:00Z",
        snapshot: "host/new/2026-01-31T09:00:00Z",
        result: "ok",
        error: null,
      },
    } as const;
    const lying = { ...EVIDENCE, inventory: { ...INVENTORY, status: { updated: "", items } } };
    expect(mapCoverage(lying, NOW)).toContainEqual(
      expect.objectContaining({ item: "new", state: "never" }),
    );
  });

  test("late, never and unknown are not fresh; an uncovered bind mount and a deleted volume are", () => {
    const of = (state: Row["state"]): Row => ({ kind: "volume", item: "x", usedBy: [], state });
    const alarming = [
      ...(["late", "never", "unknown", "ahead", "differs"] as const),
      ...(["incomplete", "broken"] as const),
    ];
    expect(alarming.map((state) => isLate([of(state)]))).toEqual(alarming.map(() => true));
    const fine = ["ok", "excluded", "not covered", "no data", "gone", "unfinished"] as const;
    expect(isLate(fine.map(of))).toBe(false);
  });

  test("a VM without a backup, and a Proxmox that does not answer", () => {
    const vm = (evidence: Partial<Evidence>): unknown =>
      mapCoverage({ ...EVIDENCE, ...evidence }, NOW).find(({ kind }) => kind === "vm");
    expect(vm({ vm: null })).toMatchObject({ state: "never" });
    const problem = "Permission check failed (/storage/pbs01, Datastore.Audit)";
    expect(vm({ vm: { problem } })).toMatchObject({
      state: "unknown",
      detail: `Proxmox VE could not be asked: ${problem}`,
    });
    expect(vm({ vm: { volume: "v", takenAt: at("30T03:30:00") } })).toMatchObject({
      state: "late",
    });
  });

  test("snapshots of the future are an alarm, and no backup of anything", () => {
    const forged = ["2026-02-01", "2026-02-02", "2026-03-01"].map((day) => ({
      id: "data",
      takenAt: new Date(`${day}T02:30:00Z`),
    }));
    const soon = { id: "orphan", takenAt: at("31T10:05:00") };
    const volumes = [...forged, soon, ...EVIDENCE.snapshots.volumes].sort(
      (a, b) => b.takenAt.getTime() - a.takenAt.getTime(),
    );
    const evidence = { ...EVIDENCE, snapshots: { ...EVIDENCE.snapshots, volumes } };
    const found = mapCoverage(evidence, NOW);
    expect(found.filter(({ item }) => item === "data")).toEqual([
      expect.objectContaining({ state: "ok", age: 7.5 * 3600 }),
      expect.objectContaining({
        state: "ahead",
        detail: expect.stringMatching(
          /^3 snapshots are dated in the future, up to 2026-03-01T02:30:00Z: the prune job removes/,
        ) as string,
      }),
    ]);
    // Clocks may differ by a few minutes.
    expect(found.find(({ item }) => item === "orphan")).toMatchObject({ state: "ok", age: 0 });
    expect(isLate(found.filter(({ item }) => item === "data"))).toBe(true);
    expect(toTable([{ node: "n", rows: found }])).toContain(", 1 dated in the future");
    expect(choose(volumes, "data", "latest", NOW).takenAt).toEqual(at("31T02:30:00"));
    expect(choose(volumes, "data", "2026-03-01T02:30:00Z", NOW)).toBe(volumes[0]);
  });

  test("unfinished and broken snapshots are shown, and are no backups of anything", () => {
    const faulty = (fault: "unfinished" | "broken", id: string): Snapshot => ({
      ...{ id, fault, takenAt: at("31T09:30:00") },
    });
    const volumes = [
      ...[faulty("unfinished", "data"), faulty("unfinished", "new"), faulty("broken", "orphan")],
      ...EVIDENCE.snapshots.volumes,
    ];
    const found = mapCoverage({ ...EVIDENCE, snapshots: { ...EVIDENCE.snapshots, volumes } }, NOW);
    const of = (item: string): Row[] => found.filter((one) => one.item === item);
    expect(of("data")).toMatchObject([
      { state: "ok", age: 7.5 * 3600 },
      {
        state: "unfinished",
        detail: "1 under way or cut off, the last of 2026-01-31T09:30:00Z: no backup",
      },
    ]);
    expect(isLate(of("data"))).toBe(false);
    expect(of("new")).toMatchObject([{ state: "never" }, { state: "unfinished" }]);
    expect(of("orphan")).toMatchObject([
      { state: "late" },
      {
        state: "broken",
        detail: expect.stringMatching(
          /^1 failed the server's verification, the last of 2026/,
        ) as string,
      },
    ]);
    expect(toTable([{ node: "n", rows: found }])).toMatch(/✗ volume +orphan +broken .*, 1 broken/s);
  });

  test("a backup that lacks files is an alarm; one without what .pxarexclude lists says so", () => {
    const item = {
      ...{ kind: "volumes", lastGood: "2026-01-30T02:30:00Z" },
      ...{ snapshot: "host/data/2026-01-30T02:30:00Z", result: "failed" as const },
      error: '1 files could not be read and are not in the backup: "a"',
      incomplete: "host/data/2026-01-31T02:30:00Z",
    };
    const rowWith = (status: ItemStatus): Row | undefined => {
      const items = { "volume/data": status };
      const inventory = { ...INVENTORY, status: { updated: "", items } };
      return mapCoverage({ ...EVIDENCE, inventory }, NOW).find((one) => one.item === "data");
    };
    const detail = `last run failed: ${item.error}`;
    expect(rowWith(item)).toMatchObject({ state: "incomplete", detail });
    expect(
      rowWith({
        ...{ ...item, result: "ok", error: null, incomplete: undefined },
        ...{ snapshot: "host/data/2026-01-31T02:30:00Z", excludes: "deep/.pxarexclude" },
      }),
    ).toMatchObject({ state: "ok", detail: "without what deep/.pxarexclude lists" });
  });

  describe("what the server keeps", () => {
    const [volumes = { id: "", store: "" }, ...others] = EVIDENCE.pruneJobs as PruneJob[];
    const kept = (pruneJobs: Evidence["pruneJobs"]): Row | undefined =>
      mapCoverage({ ...EVIDENCE, pruneJobs }, NOW).find(({ kind }) => kind === "retention");
    const MEND = "30 declared: npx docker-node backups --server prints the command";

    test.each<[string, Evidence["pruneJobs"], object]>([
      ["nothing", others, { state: "differs", detail: `no prune job, keep-daily ${MEND}` }],
      [
        "less",
        [{ ...volumes, "keep-daily": 14 }, ...others],
        {
          state: "differs",
          detail: `prune job proj-docker02-volumes has keep-daily 14, keep-daily ${MEND}`,
        },
      ],
      [
        "more rules",
        [{ ...volumes, "keep-last": 3 }],
        {
          state: "differs",
          detail: `prune job proj-docker02-volumes has keep-daily 30, keep-last 3, keep-daily ${MEND}`,
        },
      ],
      ["by a job that is off", [{ ...volumes, disable: true }], { state: "differs" }],
      ["by a job of another store", [{ ...volumes, store: "pbs01" }], { state: "differs" }],
      ["by a job of another node", [{ ...volumes, ns: "other/volumes" }], { state: "differs" }],
      ["not so far down", [{ ...volumes, ns: "proj-docker02" }], { state: "differs" }],
      [
        "by one job for all of the node",
        [{ ...volumes, ns: "proj-docker02", "max-depth": 1 }],
        { state: "ok" },
      ],
      [
        "by one for everything",
        [{ id: "all", store: "docker", "keep-daily": 30 }],
        { state: "ok" },
      ],
      [
        "by two, one of them too little",
        [volumes, { id: "all", store: "docker", "keep-daily": 1 }],
        { state: "differs" },
      ],
      [
        "unknown",
        { problem: "permission check failed" },
        {
          state: "unknown",
          detail: expect.stringMatching(
            /permission check failed; on it: proxmox-backup-manager/,
          ) as string,
        },
      ],
    ])("%s", (_what, jobs, row) => {
      expect(kept(jobs)).toMatchObject(row);
    });

    describe("of the VM, where the server prunes", () => {
      const { vm, server } = BACKUPS;
      if (!vm) throw new Error("no backup of the VM");
      const backups = { ...BACKUPS, vm: { ...vm, prunedBy: "server" as const } };
      const storage = {
        ...{ id: vm.storage, server: server.address, datastore: "vms", namespace: "site" },
        ...{ username: "pve@pbs!docker-node", fingerprint: server.fingerprint },
      };
      const rowsOf = (backupStorage?: typeof storage, ...jobs: PruneJob[]): Row[] => {
        const vmStore = vmStoreOf(backups, { backupStorage } as ProxmoxConfig);
        const pruneJobs = [volumes, ...others, ...jobs];
        const found = mapCoverage({ ...EVIDENCE, backups, pruneJobs, vmStore }, NOW);
        return found.filter(({ kind, item }) => kind === "retention" && item === "vm");
      };
      const job = { id: "docker-node-vm", store: "vms", ns: "site", "max-depth": 0 };

      test("its job keeps as declared, or it does not", () => {
        expect(rowsOf(storage, { ...job, "keep-daily": 30 })).toMatchObject([
          { state: "ok", detail: "keep-daily 30" },
        ]);
        expect(rowsOf(storage, { ...job, "keep-daily": 7 })).toMatchObject([
          {
            state: "differs",
            detail: `prune job docker-node-vm has keep-daily 7, keep-daily ${MEND}`,
          },
        ]);
      });

      test("no job, one elsewhere, or one out of sight is told", () => {
        const detail = `no prune job that the restore token sees, keep-daily ${MEND}`;
        const elsewhere = { ...job, ns: "other", "keep-daily": 30 };
        for (const row of [rowsOf(storage), rowsOf(storage, elsewhere)])
          expect(row).toMatchObject([{ state: "differs", detail }]);
      });

      test("is unknown where another server has the backups, and left to Proxmox where the job prunes", () => {
        const unseen = {
          state: "unknown",
          detail: `nobody sees whether keep-daily 30 is applied: ${vm.storage} is no proxmox.backupStorage with the server of backups.server, written the same; on its server: proxmox-backup-manager prune-job list`,
        };
        for (const other of [undefined, { ...storage, server: "pbs02.example.org" }])
          expect(rowsOf(other)).toMatchObject([unseen]);
        const own = mapCoverage(EVIDENCE, NOW);
        expect(own.filter(({ kind, item }) => kind === "retention" && item === "vm")).toEqual([]);
        expect(vmStoreOf(BACKUPS, { backupStorage: storage } as ProxmoxConfig)).toBeUndefined();
      });
    });
  });

  test("the paths of a configuration are those the backup container takes", () => {
    const script = readFileSync(join(__dirname, "../../node/backup/configuration.sh"), "utf8");
    expect(script).toContain('<"$HERE/configuration.paths"');
    expect(readConfigurationPaths()).toEqual(
      expect.arrayContaining(["/etc/docker", "/etc/subuid", "/etc/subgid"]),
    );
    const mounts = [{ Type: "bind", Source: "/etc/subuid", Destination: "/etc/subuid" }];
    const inventory = { ...INVENTORY, containers: [container("web", { Mounts: mounts })] };
    const paths = { ...EVIDENCE, inventory, configurationPaths: readConfigurationPaths() };
    expect(mapCoverage(paths, NOW)).toContainEqual(
      expect.objectContaining({ item: "/etc/subuid", state: "ok" }),
    );
  });

  test("for programs", () => {
    const parsed = JSON.parse(
      toJson([
        { node: "n", rows },
        { node: "m", rows: [], error: "gone" },
      ]),
    ) as unknown;
    expect(parsed).toEqual({
      fresh: false,
      nodes: [
        { node: "n", rows: JSON.parse(JSON.stringify(rows)) as unknown },
        { node: "m", rows: [], error: "gone" },
      ],
    });
  });
});

describe("npx docker-node backups", () => {
  const backups = (args: string[], print: Print, open: () => Promise<Opened>, warn = print) =>
    runCommandLine(["backups", ...args], { print, warn, open });
  const settings = loadSettings(stackFile("prod"));
  const opened = (site: () => FakeSite) => () =>
    Promise.resolve(openedWith(settings, { site, shell: () => site().shell }));

  test("status 0 when all is fresh", async () => {
    const site = new FakeSite();
    site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z");
    site.backedUp("images", "images", "2026-01-25T03:00:00Z", {
      "index.conf": [{ reference: "registry/web:1", id: "sha256:web" }],
    });
    site.vmBackups = [{ volume: "v", takenAt: at("31T03:30:00") }];
    site.inventory = { ...site.inventory, containers: [container("web")] };
    const lines: string[] = [];
    expect(
      await backups(
        [],
        (line) => lines.push(line),
        opened(() => site),
      ),
    ).toBe(0);
    expect(lines.join()).toContain("registry/web:1");
    site.time = at("31T13:00:00");
    expect(
      await backups(
        ["--json"],
        () => undefined,
        opened(() => site),
      ),
    ).toBe(3);
  });

  test("a snapshot of images that cannot be read is a row; the rest of the map stays", async () => {
    const site = new FakeSite();
    site.backedUp("images", "images", "2026-01-31T03:00:00Z", { "index.conf": "" });
    site.backedUp("images", "images", "2026-01-25T03:00:00Z", {
      "index.conf": [{ reference: "registry/web:1", id: "sha256:web" }],
    });
    site.inventory = { ...site.inventory, containers: [container("web")] };
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    expect(
      await backups(
        [],
        print,
        opened(() => site),
      ),
    ).toBe(1);
    expect(lines.join()).toMatch(
      /✓ image +registry\/web:1 [\s\S]*\? image +host\/images\/2026-01-31T03:00:00Z +unknown \(cannot be read: /,
    );
  });

  test("a node that cannot be asked is named, without secrets, and the status is 1", async () => {
    const lines: string[] = [];
    const broken = (): never => {
      throw new Error("ssh: geheim");
    };
    expect(await backups([], (line) => lines.push(line), opened(broken))).toBe(1);
    expect(lines.join()).toContain("proj-docker02: ssh: [secret]");
  });

  test("--server only says how to prepare the backup server, without asking a node", async () => {
    const lines: string[] = [];
    const unasked = (): never => {
      throw new Error("asked");
    };
    const show = (line: string): void => void lines.push(line);
    expect(await backups(["--server", "proj-docker02"], show, opened(unasked))).toBe(0);
    expect(lines).toEqual(serverCommands(settings));
  });

  test("an unknown node, an unknown option, help", async () => {
    const opener = opened(() => new FakeSite());
    const lines: string[] = [];
    const show = (line: string): void => void lines.push(line);
    expect(await backups(["nope"], show, opener)).toBe(2);
    const help = "How to use it: npx docker-node backups --help";
    expect(lines.splice(0)).toEqual(["node nope; allowed: proj-docker02", help]);
    expect(await backups(["--what"], show, opener)).toBe(2);
    expect(lines.splice(0)).toEqual(["error: unknown option '--what'", help]);
    expect(await backups(["--help"], show, opener)).toBe(0);
  });
});

describe("npx docker-node restore", () => {
  const settings = loadSettings(stackFile("prod"));
  const site = new FakeSite();
  const opener = () =>
    Promise.resolve(openedWith(settings, { site: () => site, shell: () => site.shell }));
  const lines: string[] = [];
  const command = (...args: string[]): Promise<number> =>
    runCommandLine(["restore", ...args], {
      print: (line) => lines.push(line),
      warn: (line) => lines.push(line),
      open: opener,
    });

  test("is a dry run without --yes", async () => {
    site.vmBackups = [{ volume: "pbs01:backup/vm/2019/x", takenAt: at("31T03:30:00") }];
    site.answers["recovery/docker"] = "29";
    expect(await command("vm", "proj-docker02")).toBe(0);
    expect(site.log).toEqual([]);
    expect(lines.at(-1)).toContain("Nothing was touched");
    expect(await command("vm", "proj-docker02", "--yes")).toBe(0);
    expect(site.log).toEqual([
      "qmrestore pbs01:backup/vm/2019/x 2019",
      "qm start 2019",
      "recovery/docker",
    ]);
    expect(lines.at(-1)).toMatch(
      /^RTO measured: 0 s .*\nRPO measured: 6 h 30 min \(required: below 1 d\)$/,
    );
  });

  test("each kind is planned by its own words, from the backup that was asked for", async () => {
    for (const day of ["31", "30"])
      site.backedUp("volumes", "research-data", `2026-01-${day}T02:30:00Z`, { "meta.conf": {} });
    site.backedUp("configuration", "configuration", "2026-01-31T08:00:00Z", {
      "definitions/containers.json": [container("web")],
      "definitions/networks.json": [],
      "definitions/images.json": [],
      "definitions/volumes.json": [],
    });
    site.log.length = 0;
    const planned = async (...args: string[]): Promise<string> => {
      lines.length = 0;
      const status = await command(...args);
      return `${status} ${lines.join("\n")}`;
    };
    const volume = ["volume", "proj-docker02", "research-data"];
    const from =
      /^0 .*volume research-data on proj-docker02[^]*host\/research-data\/2026-01-30T02:30:00Z/;
    expect(await planned(...volume)).toContain("host/research-data/2026-01-31T02:30:00Z");
    expect(await planned(...volume, "--snapshot", "2026-01-30T02:30:00Z")).toMatch(from);
    expect(await planned("container", "proj-docker02", "web")).toMatch(
      /^0 .*container web on proj-docker02, from its definition/,
    );
    expect(await planned("platform", "proj-docker02")).toMatch(/^0 .*platform of proj-docker02:/);
    expect(new Set(site.log)).toEqual(new Set(["extract configuration"]));
  });

  test("status 1 when it fails", async () => {
    site.failing = "qmrestore";
    expect(await command("vm", "proj-docker02", "--yes")).toBe(1);
    expect(lines.join("\n")).toContain("state: as it was before");
  });

  test.each([
    [[], '""; allowed: container, volume, platform, vm'],
    [["disk", "n"], '"disk"; allowed:'],
    [["volume"], "missing required argument 'node'"],
    [["volume", "n"], "missing required argument 'name'"],
    [["vm", "n", "x"], "too many arguments for 'vm'. Expected 1 argument but got 2"],
    [["container", "n", "a", "b"], "too many arguments for 'container'. Expected 2 arguments but"],
    [["vm", "n", "--from-definition"], "unknown option '--from-definition'"],
  ])("%j is wrong usage", async (args, message) => {
    lines.length = 0;
    expect(await command(...args)).toBe(2);
    expect(lines.join("\n")).toContain(message);
    expect(lines.at(-1)).toMatch(/^How to use it: npx docker-node restore.* --help$/);
  });
});

describe("steps", () => {
  const recovery = (run: () => Promise<undefined>): Recovery => ({
    title: "t",
    snapshot: "host/a/b",
    takenAt: at("31T09:00:00"),
    objectives: { rto: 60, rpo: 60 },
    steps: [
      { title: "first", run: () => Promise.resolve("found"), undo: { title: "u", run } },
      { title: "second", run },
    ],
    afterwards: ["look"],
  });
  const nothing = (): Promise<undefined> => Promise.resolve(undefined);

  test("durations", () => {
    expect([0, 59.6, 61, 3600, 90_000, -5].map(durationText)).toEqual([
      "0 s",
      "1 min",
      "1 min 1 s",
      "1 h",
      "1 d 1 h",
      "0 s",
    ]);
  });

  test("measured beside required", () => {
    const outcome = { ok: true, seconds: 30, age: 3600 };
    expect(verdictOn(recovery(nothing), outcome)).toBe(
      "RTO measured: 30 s (required: below 1 min)\nRPO measured: 1 h (required: below 1 min, MISSED)",
    );
    expect(shown(recovery(nothing), NOW)).toContain("afterwards: look");
  });

  test("an interruption is taken like a failure, between two steps", async () => {
    const lines: string[] = [];
    const controller = new AbortController();
    const plan = recovery(nothing);
    const first = {
      ...plan.steps[0],
      title: "first",
      run: () => {
        controller.abort(new Error("interrupted"));
        return nothing();
      },
    };
    const outcome = await perform(
      { ...plan, steps: [first, ...plan.steps.slice(1)] },
      (line) => lines.push(line),
      { signal: controller.signal },
    );
    expect(outcome.error).toBe("interrupted\nstate: as it was before, nothing is lost");
    expect(lines.join("\n")).not.toContain("second");
    expect(lines.join("\n")).toContain("taking back: u");
  });
});

describe("definitions", () => {
  test("an anonymous volume is mounted by its name again", () => {
    const Mounts = [
      { Type: "volume", Name: "f00", Source: "/x", Destination: "/cache" },
      { Type: "volume", Name: "data", Source: "/x", Destination: "/data" },
      { Type: "volume", Name: "ro", Source: "/x", Destination: "/ro", RW: false },
    ];
    const HostConfig = { Binds: ["data:/data:rw"], Mounts: [{ Target: "/other" }] };
    const { body } = creationOf(container("web", { Mounts, HostConfig }));
    expect(body["HostConfig"]).toMatchObject({
      Binds: ["data:/data:rw", "f00:/cache", "ro:/ro:ro"],
    });
  });

  test("a name of its own stays, one that Docker made does not, nor one of another's network", () => {
    const named = (Hostname: string, NetworkMode = "bridge"): unknown =>
      creationOf(
        container("web", { Config: { Image: "i", Hostname }, HostConfig: { NetworkMode } }),
      ).body["Hostname"];
    expect([
      named("mail"),
      named("web012345678"),
      named("mail", "host"),
      named("x", "container:y"),
    ]).toEqual(["mail", undefined, undefined, undefined]);
  });

  const vpn = container("vpn", { Id: "f".repeat(64) });
  const surroundings = { containers: [vpn], networks: [{ Name: "front", Id: "9".repeat(64) }] };
  const hostOf = (HostConfig: Record<string, unknown>): Record<string, unknown> =>
    creationOf(container("web", { HostConfig }), undefined, surroundings).body[
      "HostConfig"
    ] as Record<string, unknown>;

  test("in another's network there are no ports, and no address of its own", () => {
    const { body } = creationOf(
      container("web", {
        Config: {
          Image: "i",
          Hostname: "vpn",
          ExposedPorts: { "80/tcp": {} },
          MacAddress: "02:42:ac:11:00:02",
        },
        HostConfig: {
          NetworkMode: `container:${vpn.Id}`,
          PortBindings: { "80/tcp": [] },
          PublishAllPorts: false,
          Links: null,
        },
      }),
      undefined,
      surroundings,
    );
    expect(body).toEqual({
      Image: "i",
      HostConfig: { NetworkMode: "container:vpn", Binds: [], ContainerIDFile: "" },
    });
  });

  test("a MAC address that was chosen goes with the network: Docker 29 refuses it elsewhere", () => {
    const MacAddress = "02:42:ac:11:00:02";
    const Config = { Image: "i", MacAddress };
    const own = { Config, HostConfig: { NetworkMode: "front" } };
    const NetworkSettings = { Networks: { front: { IPAMConfig: { IPv4Address: "172.19.0.9" } } } };
    const { body } = creationOf(container("web", { ...own, NetworkSettings }));
    expect(body).not.toHaveProperty("MacAddress");
    expect(body["NetworkingConfig"]).toEqual({
      EndpointsConfig: { front: { IPAMConfig: { IPv4Address: "172.19.0.9" }, MacAddress } },
    });
    const stock = { Config, HostConfig: { NetworkMode: "bridge" } };
    expect(creationOf(container("web", stock)).body["NetworkingConfig"]).toEqual({
      EndpointsConfig: { bridge: { MacAddress } },
    });
    const host = { Config, HostConfig: { NetworkMode: "host" } };
    expect(creationOf(container("web", host)).body).not.toHaveProperty("NetworkingConfig");
  });

  test("other containers and networks are found by name, because their ids change", () => {
    const id = `container:${vpn.Id}`;
    expect(hostOf({ IpcMode: id, PidMode: id, Cgroup: id })).toMatchObject({
      IpcMode: "container:vpn",
      PidMode: "container:vpn",
      Cgroup: "container:vpn",
    });
    expect(hostOf({ IpcMode: "private", PidMode: "" })).toMatchObject({
      IpcMode: "private",
      PidMode: "",
    });
    expect(hostOf({ NetworkMode: "container:vpn" })["NetworkMode"]).toBe("container:vpn");
    expect(hostOf({ NetworkMode: `container:${"e".repeat(64)}` })["NetworkMode"]).toBe(
      `container:${"e".repeat(64)}`,
    );
    expect(hostOf({ NetworkMode: "9".repeat(64) })["NetworkMode"]).toBe("front");
  });

  test("what came from another container's volumes is mounted without it", () => {
    const Mounts = [
      { Type: "volume", Name: "data", Source: "/x", Destination: "/data" },
      { Type: "bind", Source: "/srv/up", Destination: "/up", RW: false },
      { Type: "tmpfs", Source: "", Destination: "/tmp" },
    ];
    const { body } = creationOf(
      container("web", { Mounts, HostConfig: { VolumesFrom: ["gone"] } }),
    );
    expect(body["HostConfig"]).toEqual({
      Binds: ["data:/data", "/srv/up:/up:ro"],
      ContainerIDFile: "",
    });
  });

  test("definitions that others refer to come first, also in a cycle", () => {
    const app = container("app", {
      HostConfig: { NetworkMode: `container:${vpn.Id}`, Links: ["/db:/app/db"] },
    });
    const db = container("db", { HostConfig: { IpcMode: "container:vpn" } });
    const [one, two] = ["one", "two"].map((name, index, names) =>
      container(name, { HostConfig: { PidMode: `container:${names[1 - index] ?? ""}` } }),
    ) as [Container, Container];
    expect(referencesOf(app, [app, vpn, db])).toEqual(["vpn", "db"]);
    const names = orderByReference([app, one, db, vpn, two]).map(({ Name }) => Name);
    expect(names).toEqual(["/vpn", "/db", "/app", "/two", "/one"]);
  });

  test("aliases without the old id; Docker's own networks are not joined", () => {
    const Networks = {
      bridge: {},
      back: { Aliases: ["db", "web012345678"], Links: ["a:b"], DriverOpts: { x: "y" } },
    };
    const { joins } = creationOf(container("web", { NetworkSettings: { Networks } }));
    expect(joins).toEqual([
      { network: "back", endpoint: { Aliases: ["db"], Links: ["a:b"], DriverOpts: { x: "y" } } },
    ]);
  });

  test.each([
    ["registry/web:1@sha256:x", {}, "registry/web:1@sha256:x"],
    [
      "registry/web:1",
      { RepoDigests: ["mirror/web@sha256:m", "registry/web@sha256:x"] },
      "registry/web@sha256:x",
    ],
    ["registry/web:1", {}, "registry/web:1"],
    [`sha256:${"0".repeat(64)}`, { RepoTags: ["registry/web:2"] }, "registry/web:2"],
    [`sha256:${"0".repeat(64)}`, {}, ""],
  ])("%s is pulled from its registry", (name, image, source) => {
    const one = container("web", { Config: { Image: name } });
    expect(sourceOf(one, [{ Id: "sha256:web", ...image }])).toBe(source);
  });
});

describe("the backup client", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "recovery-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const client = (script: string) => {
    const file = join(folder, "client");
    writeFileSync(file, `#!/bin/bash\n${script}\n`);
    chmodSync(file, 0o755);
    const access = { host: "192.0.2.6", port: 8007, datastore: "docker", fingerprint: "AA:BB" };
    return connect(
      { ...access, tokenId: "r@pbs!t", token: "geheim", keyfile: "/key", client: file },
      "n",
    );
  };

  test("gets server, token and fingerprint by its environment, never on its command line", async () => {
    const repository = client('echo "$PBS_REPOSITORY $PBS_PASSWORD $PBS_FINGERPRINT $*"');
    const snapshot = { id: "data", takenAt: at("31T02:30:00") };
    expect((await repository.read("volumes", snapshot, "meta.conf")).trim()).toBe(
      "r@pbs!t@192.0.2.6:8007:docker geheim AA:BB restore host/data/2026-01-31T02:30:00Z meta.conf - --ns n/volumes --keyfile /key",
    );
    expect(repository.stream("volumes", snapshot, "data.pxar").args.join(" ")).not.toContain(
      "geheim",
    );
  });

  test("is given no certificate authority: only the fingerprint counts", async () => {
    const snapshot = { id: "data", takenAt: at("31T02:30:00") };
    const repository = client('echo "$SSL_CERT_FILE $SSL_CERT_DIR"');
    expect(await repository.read("volumes", snapshot, "meta.conf")).toBe("/dev/null /dev/null\n");
  });

  test("snapshots come newest first", async () => {
    const entry = (time: number): string =>
      `{"backup-type":"host","backup-id":"a","backup-time":${time},"size":1}`;
    const listed = await client(`echo '[${entry(100)},${entry(200)}]'`).snapshots("volumes");
    expect(listed.map(({ takenAt }) => takenAt.getTime())).toEqual([200_000, 100_000]);
    expect(choose(listed, "a", "1970-01-01T00:01:40Z", NOW)).toBe(listed[1]);
  });

  test("a snapshot without a manifest is unfinished, one that failed its verification is broken; latest is neither", async () => {
    const entry = (time: number, more: object): object => ({
      ...{ "backup-type": "host", "backup-id": "a", "backup-time": time },
      ...{ files: [], ...more },
    });
    const list = [
      entry(500, { size: null }),
      entry(400, {}),
      entry(300, { size: 1, verification: { state: "failed", upid: "u" } }),
      entry(200, { size: 1, verification: { state: "ok", upid: "u" } }),
      entry(100, { size: 1 }),
    ];
    const listed = await client(`echo '${JSON.stringify(list)}'`).snapshots("volumes");
    const faults = ["unfinished", "unfinished", "broken", undefined, undefined];
    expect(listed.map(({ fault }) => fault)).toEqual(faults);
    expect(listed.map(({ size }) => size)).toEqual([undefined, undefined, 1, 1, 1]);
    expect(choose(listed, "a", "latest", NOW)).toBe(listed[3]);
    expect(choose(listed, "a", "1970-01-01T00:05:00Z", NOW)).toBe(listed[2]);
    expect(() => choose(listed, "a", "1970-01-01T00:08:20Z", NOW)).toThrow(
      "--snapshot 1970-01-01T00:08:20Z; allowed: latest, 1970-01-01T00:05:00Z (broken), 1970-01-01T00:03:20Z, 1970-01-01T00:01:40Z",
    );
    expect(() => choose(listed.slice(0, 2), "a", "latest", NOW)).toThrow("a: never backed up");
  });

  test("the volume called benchmark has a group of its own name on the server", async () => {
    const repository = client(
      '[[ $1 == snapshot ]] || exec echo "$2"; ' +
        `echo '[{"backup-type":"host","backup-id":"_benchmark","backup-time":100,"size":1}]'`,
    );
    const [snapshot] = await repository.snapshots("volumes");
    expect(snapshot?.id).toBe("benchmark");
    if (snapshot)
      expect(await repository.read("volumes", snapshot, "meta.conf")).toBe(
        "host/_benchmark/1970-01-01T00:01:40Z\n",
      );
  });

  test.each([
    "Error: ENOENT: No such file or directory",
    "Error: namespace not found",
    "Error: namespace 'n/volumes' does not exist",
  ])("%s: nothing was ever backed up", async (said) => {
    const script = `echo "Using a key" >&2; echo "${said}" >&2; exit 255`;
    expect(await client(script).snapshots("volumes")).toEqual([]);
  });

  test.each([
    ["Error: certificate fingerprint does not match", "certificate fingerprint does not match"],
    [
      "Error: unable to open file in ENV(PBS_PASSWORD_FILE): No such file or directory",
      "PBS_PASSWORD_FILE",
    ],
    ["Error: permission check failed", "permission check failed"],
    ["Error: error trying to connect: Connection refused", "Connection refused"],
  ])("%s", async (said, message) => {
    await expect(client(`echo "${said}" >&2; exit 255`).snapshots("volumes")).rejects.toThrow(
      message,
    );
  });

  test("that is not installed says where to get it", async () => {
    const missing = connect(
      {
        host: "h",
        port: 1,
        datastore: "d",
        fingerprint: "f",
        tokenId: "t",
        token: "t",
        keyfile: "k",
        client: join(folder, "none"),
      },
      "n",
    );
    await expect(missing.snapshots("volumes")).rejects.toThrow(/is not installed here: https/);
  });
});

describe("credentials", () => {
  test("every variable that is missing is named", () => {
    expect(() => readPbsCredentials({})).toThrow(
      /PBS_RESTORE_TOKEN_ID[^]*PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE[^]*PBS_RESTORE_KEYFILE/,
    );
  });

  test("the secret from a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "recovery-"));
    writeFileSync(join(folder, "token"), "geheim\n");
    const base = { PBS_RESTORE_TOKEN_ID: "a@pbs!b", PBS_RESTORE_KEYFILE: "/key" };
    expect(readPbsCredentials({ ...base, PBS_RESTORE_TOKEN_FILE: join(folder, "token") })).toEqual({
      tokenId: "a@pbs!b",
      token: "geheim",
      keyfile: "/key",
      client: undefined,
    });
    rmSync(folder, { recursive: true });
  });
});

describe("programs", () => {
  const bash = (script: string) => ({ program: "bash", args: ["-c", script] });

  test("a pipe carries everything, and fails if either end does", async () => {
    expect(await pipe(bash("head -c 3000000 /dev/zero"), bash("wc -c"))).toBe("3000000\n");
    await expect(
      pipe(bash("echo x; echo broke >&2; exit 3"), bash("cat >/dev/null")),
    ).rejects.toThrow("bash ended with 3: broke");
    await expect(
      pipe(bash("head -c 3000000 /dev/zero"), bash("echo full >&2; exit 4")),
    ).rejects.toThrow("bash ended with 4: full");
    await expect(pipe({ program: "/nope", args: [] }, bash("cat"))).rejects.toThrow(
      "/nope is not installed here",
    );
  });

  test("standard output can be opened by its name, as the backup client does", async () => {
    expect(await pipe(bash("echo by name >/dev/stdout"), bash("cat"))).toBe("by name\n");
  });

  test("one that does not read its input", async () => {
    expect(await run(bash("echo done"), "x".repeat(1_000_000))).toBe("done\n");
  });

  test("words are quoted only where they must be", () => {
    expect(["--a=b", "type=volume,source=x", "a b", "it's"].map(quoteWord)).toEqual([
      "--a=b",
      "type=volume,source=x",
      "'a b'",
      `'it'\\''s'`,
    ]);
  });
});

describe("opening a stack", () => {
  const settings = loadSettings(stackFile("prod"));
  const credentials = () => ({ tokenId: "t", token: "t", keyfile: "k" });
  const open = (configuration: object, nodes = {}) => {
    const { pulumi } = new FakeSite();
    Object.assign(pulumi, {
      configuration: () =>
        Promise.resolve({ problems: [], secrets: ["a-long-secret"], ...configuration }),
      published: () => Promise.resolve(nodes),
    });
    return openStack("prod", { credentials, pulumi });
  };

  test("tells what is wrong with the configuration, and which nodes there are", async () => {
    await expect(open({ problems: ["nodes: missing"] })).rejects.toThrow(
      "not valid:\n  nodes: missing",
    );
    const opened = await open({ settings });
    expect(() => opened.site("nope")).toThrow("node nope; allowed: proj-docker02");
    expect(opened.redact("x a-long-secret y")).toBe("x [secret] y");
  });

  test("the host key has to be known from somewhere", async () => {
    const opened = await open({ settings, sealed: "no passphrase" });
    expect(() => opened.site("proj-docker02")).toThrow(
      /host key is not known, since the stack's outputs cannot be read \(no passphrase\)/,
    );
  });
});

describe("Portainer of a stack", () => {
  const environment = { url: "https://port01:9443", fingerprint: Array(32).fill("AB").join(":") };
  const { pulumi } = new FakeSite();
  const open = (portainer: object, key: object) => {
    const settings = loadSettings(prodWith({ portainer }));
    const configuration = () => Promise.resolve({ problems: [], secrets: [], settings, ...key });
    const readPublished = () => Promise.resolve({});
    const credentials = () => ({ tokenId: "t", token: "t", keyfile: "k" });
    const known = Object.assign(pulumi, { configuration, readPublished });
    return openStack("prod", { credentials, pulumi: known });
  };

  test("is the one that nodes are registered in, by the stack's key", async () => {
    const opened = await open({ environment }, { portainerApiKey: "ptr_key" });
    expect(opened.portainer("proj-docker02")).toEqual({ ...environment, apiKey: "ptr_key" });
  });

  test.each([
    ["a node that is not registered", {}, "portainer.environment is not declared"],
    ["a key that cannot be read", { environment }, "the stack's secret portainerApiKey cannot be"],
  ])("%s is told", async (_, portainer, said) => {
    const opened = await open(portainer, {});
    expect(() => opened.portainer("proj-docker02")).toThrow(said);
  });
});

test("what a node's Docker has is known by its provider", () => {
  const provider = (node: string): string =>
    `urn:pulumi:s::p::docker-node:components:DockerNode$pulumi:providers:docker::${node}-docker::id`;
  const resources = ["a", "b"].map((node) => ({ urn: node, type: "t", provider: provider(node) }));
  expect(resourcesOnDocker("a", resources).map(({ urn }) => urn)).toEqual(["a"]);
});

test("a drill's summary", () => {
  const one: Rehearsal = {
    kind: "volume",
    ok: true,
    rto: { measured: 61, required: 1800 },
    rpo: { measured: 30, required: 86_400 },
    checksum: { before: "a", after: "a" },
  };
  const text = summarize([
    one,
    { ...one, kind: "vm", ok: false, checksum: { before: "a", after: "b" } },
    { ...one, kind: "platform", ok: false, error: "no\nmore" },
  ]);
  expect(text).toMatchInlineSnapshot(`
   "✓ volume    RTO  1 min 1 s  of 30 min  RPO  30 s  of 1 d  content equal
   ✗ vm        RTO  1 min 1 s  of 30 min  RPO  30 s  of 1 d  content DIFFERENT
   ✗ platform  RTO  1 min 1 s  of 30 min  RPO  30 s  of 1 d  FAILED: no"
  `);
});
