/**
 * Backups and recoveries on a real node: everything that could be lost is in the datastore; what is lost
 * comes back as it was, in the required time; killed, cut off or refused, nothing is lost and it is seen.
 *
 * One VM and one `up` for all of it, by `npm run drill`, which leaves its lab to the rest. Time is only
 * moved forward, and last: a backup older than the newest one is refused, as Proxmox Backup Server does.
 */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, openInstance } from "../../lab/lib/instance";
import { changePbs, pbsEnv, startPbs, stopPbs } from "../../lab/lib/pbs";
import { removeLab, startLab, type Lab } from "../../lab/lib/services";
import { cliEnv } from "../../lab/lib/stack";
import { runCommandLine } from "../../commands/cli";
import { DRILL, openStage } from "../../lab/drill/cli";
import { takeInventory, type ItemStatus } from "../../commands/site/inventory";
import { openLab } from "../../lab/drill/open";
import { run } from "../../clients/process";
import { KINDS, backUp, runBackup, type Rehearsal, type Stage } from "../../lab/drill/rehearse";
import type { Section } from "../../clients/backup-server";
import { pathOf, timeOf, type Snapshot } from "../../clients/snapshots";
import type { NodeCoverage } from "../../commands/backups/report";
import { durationText } from "../../commands/duration";
import { renderScript } from "../../node/scripts";
import { commands } from "../support/documents";
import { Life } from "./life";
import { asRemappedRoot, openLayers } from "./remapped";
import { partOfReport } from "./report-page";
import { Shell, log, processesWith, statusOfCommand, waitFor } from "./support";

jest.setTimeout(45 * 60_000);

const NODE = "proj-docker02";
const CONTAINER = "docker_node_backup";
/** It tries again, but not for minutes. */
const IMPATIENT = ["ATTEMPTS=2", "RETRY_PAUSE=1"];
/** docs/reference/specification.md, section 4. */
const REQUIRED_MINUTES = { volume: 30, container: 10, platform: 60, vm: 90 } as const;
const SECRET_TEXT = "this must not lie on pbs01 in the clear";
const here = openInstance(DRILL);
const life = new Life();
const { step } = life;

let lab: Lab;
let stage: Stage;
let shell: Shell;

beforeAll(async () => {
  await removeLab(here);
});

afterAll(() => life.end(here));

const open = () => openLab(lab, log);

/** `npx docker-node restore`, in this process. */
const restoring = (...args: string[]): Promise<number> =>
  runCommandLine(["restore", ...args, "--stack", "lab", "--yes"], { print: log, warn: log, open });

/** `npx docker-node backups`: status and the node's map. */
async function map(): Promise<{ code: number; coverage: NodeCoverage }> {
  let text = "";
  const code = await runCommandLine(["backups", "--stack", "lab", "--json", NODE], {
    print: (line) => (text += line),
    open,
  });
  const { nodes } = JSON.parse(text) as { nodes: [NodeCoverage] };
  return { code, coverage: nodes[0] };
}

const newest = async (section: Section, id: string): Promise<Snapshot | undefined> =>
  (await stage.site.repository.snapshots(section)).find((one) => one.id === id);

/** What the backup container says of an item. */
async function statusOf(item: string): Promise<ItemStatus | undefined> {
  return (await takeInventory(stage.site.shell)).status?.items[item];
}

/** What the container's health check finds now; Docker itself asks once a minute. */
const health = (): Promise<string> =>
  shell.root(`docker exec ${CONTAINER} healthcheck && echo healthy || true`);

const healthByDocker = (): Promise<string> =>
  shell.root(`docker inspect -f '{{.State.Health.Status}}' ${CONTAINER}`);

const digest = (volume: string): Promise<string> =>
  stage.site.shell.script("recovery/volume", {
    ACTION: "digest",
    SUBJECT: volume,
    VOLUME: volume,
    IMAGE: stage.site.backups.image,
    KEEP: "DAC_OVERRIDE",
  });

describe("npm run drill: what is lost comes back", () => {
  const report = join(tmpdir(), `docker-node-drill-${process.pid}.json`);
  let rehearsals: Rehearsal[] = [];

  afterAll(() => {
    rmSync(report, { force: true });
  });

  step(
    "brings up a lab of its own, loses and recovers everything, and writes figures",
    async () => {
      const args = ["run", "drill", "--", "--keep", "--json", report, ...KINDS];
      expect(await statusOfCommand("npm", args, process.env)).toBe(0);
      rehearsals = JSON.parse(readFileSync(report, "utf8")) as Rehearsal[];
      expect(rehearsals.map(({ kind }) => kind)).toEqual(KINDS);
    },
  );

  for (const kind of KINDS)
    step(`${kind}: equal checksums, within the required time`, () => {
      const found = rehearsals.find((one) => one.kind === kind);
      log(JSON.stringify(found));
      expect(found?.error).toBeUndefined();
      expect(found).toMatchObject({ ok: true, rto: { required: REQUIRED_MINUTES[kind] * 60 } });
      expect(found?.rto.measured).toBeLessThan(REQUIRED_MINUTES[kind] * 60);
      expect(found?.checksum.before).toMatch(/^[0-9a-f]{64}/);
      expect(found?.checksum.after).toBe(found?.checksum.before);
    });

  step("the node is as the program wants it afterwards", async () => {
    lab = await startLab(here, log);
    stage = await openStage(lab);
    const nodes = await stage.site.pulumi.readPublished();
    shell = new Shell(lab, NODE, nodes[NODE]?.hostKey ?? "");
    const running = `docker inspect -f '{{.State.Running}}' portainer_agent ${CONTAINER}`;
    await waitFor(async () => (await shell.root(running)) === "true\ntrue");
    // Pulumi made them again, with the limits that the provider has no word for.
    const limits = `docker inspect -f '{{.HostConfig.PidsLimit}}' portainer_agent ${CONTAINER}`;
    expect(await shell.root(limits)).toBe("1024\n1024");
  });

  step("its figures are in the node's report", async () => {
    const text = await partOfReport(lab, NODE, "drill", ["--drill", report]);
    for (const { kind, rto, rpo } of rehearsals) {
      const times = [rto.measured, rto.required, rpo.measured, rpo.required].map(durationText);
      expect(text).toContain([kind, "✓ came back", ...times].join(" "));
    }
  });
});

describe("what is backed up", () => {
  step("all four kinds are in the datastore", async () => {
    await shell.root(
      `printf '${SECRET_TEXT}' >"$(docker volume inspect -f '{{.Mountpoint}}' research-data)/plain"; sync`,
    );
    // Volumes, configuration and images; the VM's is there from the drill.
    await backUp("container", stage);
    expect(await newest("volumes", "research-data")).toBeDefined();
    expect(await newest("configuration", "configuration")).toBeDefined();
    expect(await newest("images", "images")).toBeDefined();
    expect(await stage.site.proxmox.backups("pbs01", stage.site.node.machine.vmId)).not.toEqual([]);
  });

  step("the coverage map shows all of it within its RPO", async () => {
    const { code, coverage } = await map();
    const late = coverage.rows.filter(({ state }) => ["late", "never", "unknown"].includes(state));
    expect({ error: coverage.error, late }).toEqual({ error: undefined, late: [] });
    expect(code).toBe(0);
    const kinds = new Set(
      coverage.rows.filter(({ state }) => state === "ok").map(({ kind }) => kind),
    );
    expect([...kinds].sort()).toEqual(
      expect.arrayContaining(["configuration", "image", "vm", "volume"]),
    );
  });

  step("the commands that docs/how-to/back-up.md has for the node answer", async () => {
    const lines = commands("docs/how-to/back-up.md").map(({ line }) => line);
    const onNode = lines.filter((line) => line.startsWith("docker "));
    expect(onNode).toHaveLength(3);
    for (const line of onNode) await shell.root(line);
  });

  step("a new volume is never backed up, and that is beyond its RPO", async () => {
    await shell.root("docker volume create newcomer >/dev/null");
    const { code, coverage } = await map();
    expect(code).toBe(3);
    expect(coverage.rows).toContainEqual(
      expect.objectContaining({ item: "newcomer", state: "never" }),
    );
    await shell.root("docker volume rm newcomer >/dev/null");
  });

  step("nothing of it can be read on pbs01 without the key", () => {
    const root = join(here.stateDir, "pbs", "docker");
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    expect(files.length).toBeGreaterThan(10);
    const plain = files.filter((one) =>
      readFileSync(join(one.parentPath, one.name)).includes(SECRET_TEXT),
    );
    expect(plain).toEqual([]);
  });

  step(
    "whoever escapes from a remapped container finds neither token nor key, and writes no program",
    async () => {
      const { secret } = lab.pbs.backupTokens[NODE] ?? { secret: "" };
      const { data } = JSON.parse(lab.credentials.backupKey) as { data: string };
      expect([secret, data]).not.toContain("");
      const search = `${asRemappedRoot}
      umask 022; printf '%s\\n' '${secret}' '${data}' >/run/pattern
      act grep -rlF -f /run/pattern "$root" /etc /var/lib/docker-node /run 2>/dev/null || true
      rm /run/pattern`;
      // It finds its own pattern, so it does search.
      expect(await shell.root(search)).toBe("/run/pattern");
      for (const closed of [
        "cat /var/lib/docker-node/secrets/backup/token",
        "cat /var/lib/docker-node/secrets/backup/key.json",
        "ls /var/lib/docker-node/secrets/workloads",
        "docker --host unix:///run/docker.sock ps",
      ])
        expect([closed, await shell.root(`${asRemappedRoot}\n! act ${closed} 2>&1`)]).toEqual([
          closed,
          expect.stringMatching(/permission denied/i),
        ]);
      expect(await shell.root(`docker exec ${CONTAINER} cat /etc/docker-node/token`)).toBe(secret);
      for (const container of ["portainer_agent", CONTAINER])
        expect([container, await openLayers(shell, container)]).toEqual([container, ""]);
      const written = `${asRemappedRoot}
      if act touch /var/lib/docker-node/backup/made 2>/dev/null; then echo state; fi`;
      expect(await shell.root(written)).toBe("");
      const shadow = `docker exec ${CONTAINER} ls /host/etc/shadow /host/etc/ssh 2>&1 || true`;
      expect(await shell.root(shadow)).not.toMatch(/^\/host/m);
    },
  );

  step("nor gets a file into an image before a container of root's is made of it", async () => {
    const seal = (id: string): Promise<string> =>
      shell.root(renderScript("image-seal", { IMAGE: id }));
    const make = (file: string): Promise<string> =>
      shell.root(`tar -C /etc -c ${file} | docker import - written:lab`);
    const clean = await make("hostname");
    expect(await seal(clean)).toBe(JSON.stringify({ image: clean }));
    const written = await make("hosts");
    const layer = "docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' written:lab";
    await shell.root(`${asRemappedRoot}
      act touch "$(${layer})/ld.so.preload"`);
    await expect(seal(written)).rejects.toThrow(/remove the image[^]*\/diff\/ld\.so\.preload/);
    await shell.root(`docker image rm ${clean} written:lab >/dev/null`);
  });

  step(
    "the node's token cannot remove what it added, and the restore token adds nothing",
    async () => {
      const snapshot = await newest("volumes", "research-data");
      if (!snapshot) throw new Error("no snapshot");
      const client = (login: { id: string; secret: string }, ...args: string[]): Promise<string> =>
        run({
          program: join(lab.pbs.clientDir, "proxmox-backup-client"),
          args: [...args, "--ns", `${NODE}/volumes`],
          env: pbsEnv(lab.pbs, login, "docker"),
        });
      const node = lab.pbs.backupTokens[NODE];
      if (!node) throw new Error("no token");
      await expect(client(node, "snapshot", "forget", pathOf(snapshot))).rejects.toThrow(
        /permission/i,
      );
      const file = join(here.stateDir, "one");
      writeFileSync(file, "x");
      const backup = ["backup", `x.conf:${file}`, "--backup-id", "x"];
      await expect(client(lab.pbs.restoreToken, ...backup)).rejects.toThrow(/permission/i);
    },
  );
});

describe("kill -9", () => {
  let before: string;

  step(
    "of the client in the middle of a backup loses nothing, and the next run succeeds",
    async () => {
      await shell.root(
        "docker volume create big >/dev/null; head -c 48M /dev/urandom >\"$(docker volume inspect -f '{{.Mountpoint}}' big)/file\"; sync",
      );
      const known = await newest("volumes", "research-data");
      const running = runBackup(stage.site, "volumes").catch((error: unknown) => error);
      await shell.root(
        "until pgrep -f 'backup-id[ =]big' >/dev/null; do sleep 0.2; done; sleep 1; pkill -9 -f 'backup-id[ =]big'",
      );
      log(`after kill -9 the run said: ${String(await running).slice(0, 300)}`);
      expect((await stage.site.repository.snapshots("volumes")).map(pathOf)).toContain(
        known && pathOf(known),
      );
      await runBackup(stage.site, "volumes");
      expect(await newest("volumes", "big")).toBeDefined();
      before = await digest("big");
    },
  );

  step("of the whole backup container starts again what it had stopped", async () => {
    const { image } = stage;
    await shell.root(
      `docker run -d --name holder --label docker-node.backup.consistency=stop -v big:/data ${image} sh -c 'trap exit TERM; while :; do sleep 1; done' >/dev/null`,
    );
    const running = runBackup(stage.site, "volumes").catch((error: unknown) => error);
    const holder = (): Promise<string> =>
      shell.root("docker inspect -f '{{.State.Running}}' holder");
    await waitFor(async () => (await holder()) === "false");
    await shell.root(`docker kill -s KILL ${CONTAINER} >/dev/null`);
    await running;
    await shell.root(`docker start ${CONTAINER} >/dev/null`);
    await waitFor(async () => (await holder()) === "true");
    await runBackup(stage.site, "volumes");
    expect(await holder()).toBe("true");
    before = await digest("big");
  });

  step("of the client in the middle of a restore leaves the live volume as it is", async () => {
    await shell.root("echo newer >\"$(docker volume inspect -f '{{.Mountpoint}}' big)/newer\"");
    const live = await digest("big");
    const running = restoring("volume", NODE, "big");
    const pattern = "proxmox-backup-client restore host/big";
    await waitFor(() => {
      const [line] = processesWith(pattern).filter((one) => one.includes("data.pxar"));
      if (line) process.kill(Number(line.split(" ")[0]), "SIGKILL");
      return Promise.resolve(line !== undefined);
    });
    expect(await running).toBe(1);
    expect(await digest("big")).toBe(live);
    expect(await shell.root("docker inspect -f '{{.State.Running}}' holder")).toBe("true");
    expect(await shell.root("docker volume ls -q | grep ^big")).toBe("big");
  });

  step(
    "of the restore itself, while content is put in place: the copy is there, and the next run succeeds",
    async () => {
      const live = await digest("big");
      await killedAt("put the content of", ["volume", NODE, "big"]);
      expect(await shell.root("docker inspect -f '{{.State.Running}}' holder")).toBe("false");
      const copy = await shell.root("docker volume ls -q | grep '^big.before-'");
      expect(await digest(copy)).toBe(live);
      expect(await restoring("volume", NODE, "big")).toBe(0);
      expect(await digest("big")).toBe(before);
      expect(await digest(copy)).toBe(live);
      expect(await shell.root("docker inspect -f '{{.State.Running}}' holder")).toBe("true");
      await shell.root(
        "docker rm -f holder >/dev/null; docker volume ls -q | grep ^big | xargs docker volume rm >/dev/null",
      );
    },
  );
});

/** Runs the restore command as a person does, and kills it as soon as it says something. */
async function killedAt(said: string, args: string[]): Promise<void> {
  const command = ["commands/docker-node.mjs", "restore", ...args, "--stack", "lab", "--yes"];
  const env = { ...process.env, ...cliEnv(lab) };
  const child = spawn(process.execPath, command, {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
    // The plan names every step as well; what is being done has the time before it.
    if (new RegExp(`^\\d\\d:\\d\\d:\\d\\d .*${said}`, "m").test(output)) child.kill("SIGKILL");
  });
  const signal = await new Promise((resolve) =>
    child.on("close", (_, by) => {
      resolve(by);
    }),
  );
  // A killed command cannot remove its own scratch.
  const scratch = readdirSync(tmpdir()).filter((name) =>
    name.startsWith(`docker-node-restore-${String(child.pid)}-`),
  );
  for (const name of scratch) rmSync(join(tmpdir(), name), { recursive: true });
  if (signal !== "SIGKILL") throw new Error(`ended by itself:\n${output}`);
}

describe("trouble with pbs01", () => {
  const item = "configuration";
  const pem = join(here.stateDir, "pbs", "proxy.pem");
  const start = () => {
    const { stateDir } = here;
    const { address } = lab.pbs;
    return startPbs({ stateDir, credentials: lab.credentials, address }, log);
  };

  interface Trouble {
    readonly name: string;
    readonly make: () => unknown;
    readonly end: () => unknown;
    /** What is said. */
    readonly error: RegExp;
    /** What the workstation says, if it is concerned too. */
    readonly map?: RegExp;
  }

  const troubles: Trouble[] = [
    {
      name: "down",
      make: () => stopPbs(here.stateDir),
      end: start,
      error: /connect|refused|reset|EOF|timed? ?out/i,
      map: /connect|refused/i,
    },
    {
      name: "full",
      make: () => {
        changePbs(lab.pbs.settingsFile, ({ datastores }) => {
          for (const store of datastores) store.quota = 1;
        });
      },
      end: () => {
        changePbs(lab.pbs.settingsFile, ({ datastores }) => {
          for (const store of datastores) delete store.quota;
        });
      },
      error: /no space left/i,
    },
    {
      name: "another certificate",
      make: async () => {
        await stopPbs(here.stateDir);
        for (const file of [pem, pem.replace("pem", "key")]) renameSync(file, `${file}.kept`);
        await start();
      },
      end: async () => {
        await stopPbs(here.stateDir);
        for (const file of [pem, pem.replace("pem", "key")]) renameSync(`${file}.kept`, file);
        await start();
      },
      error: /fingerprint|certificate/i,
      map: /fingerprint|certificate/i,
    },
    {
      name: "an expired token",
      make: () => {
        expireToken(1);
      },
      end: () => {
        expireToken(undefined);
      },
      error: /expired|authentication|permission|401/i,
    },
  ];

  function expireToken(expire: number | undefined): void {
    changePbs(lab.pbs.settingsFile, ({ tokens }) => {
      for (const token of tokens)
        if (token.id === lab.pbs.backupTokens[NODE]?.id) token.expire = expire;
    });
  }

  step("before it, all is well", async () => {
    await waitFor(async () => (await healthByDocker()) === "healthy", 900);
  });

  for (const { name, make, end, error, map: seen } of troubles)
    step(`${name}: a clear error, and a status that shows it`, async () => {
      await make();
      try {
        await expect(runBackup(stage.site, item, IMPATIENT)).rejects.toThrow();
        expect(await statusOf(item)).toMatchObject({
          result: "failed",
          error: expect.stringMatching(error) as unknown,
          lastGood: expect.stringMatching(/^20/) as unknown,
        });
        const { code, coverage } = await map();
        if (seen)
          expect({ code, error: coverage.error }).toEqual({
            code: 1,
            error: expect.stringMatching(seen) as unknown,
          });
        else expect(coverage.rows.find((row) => row.item === item)?.detail).toMatch(error);
        expect(await health()).toMatch(error);
        if (name === "down")
          await waitFor(async () => (await healthByDocker()) === "unhealthy", 900);
        // Nothing else on the node is any the worse.
        expect(await shell.root("docker inspect -f '{{.State.Running}}' portainer_agent")).toBe(
          "true",
        );
      } finally {
        await end();
      }
    });

  step("when it is over, the next run succeeds and all is well again", async () => {
    await runBackup(stage.site, item);
    expect(await statusOf(item)).toMatchObject({ result: "ok", error: null });
    expect(await health()).toBe("healthy");
  });
});

describe("the schedule, time moved forward", () => {
  step("volumes are backed up at 02:30", async () => {
    const before = (await newest("volumes", "research-data"))?.takenAt ?? new Date(0);
    await shell.root(`
      timedatectl set-ntp false 2>/dev/null || true
      docker stop ${CONTAINER} >/dev/null
      # Time enough for the container to start, however busy the machine: its layers are compared first.
      next=$(date -d 02:25:00 +%s)
      if ((next <= $(date +%s))); then next=$((next + 86400)); fi
      date -s "@$next" >/dev/null
      docker start ${CONTAINER} >/dev/null`);
    const scheduled = async (): Promise<Snapshot | undefined> => {
      const found = await newest("volumes", "research-data");
      return found && found.takenAt > before ? found : undefined;
    };
    // From 02:25 on: 300 s to the schedule, 555 s for the backup.
    await waitFor(async () => (await scheduled()) !== undefined, 300 + 555);
    const found = await scheduled();
    expect(found && timeOf(found.takenAt)).toMatch(/T02:3\d:/);
  });

  step("the VM is backed up at 03:30 by the cluster's job", async () => {
    const { vmId } = stage.site.node.machine;
    const before = (await stage.site.proxmox.backups("pbs01", vmId))[0]?.takenAt ?? new Date(0);
    const due = new Date();
    due.setHours(3, 29, 50, 0);
    if (due <= new Date()) due.setDate(due.getDate() + 1);
    const ahead = Math.round((due.getTime() - Date.now()) / 1000);
    const clock = join(here.stateDir, "clock");
    writeFileSync(clock, String(ahead));
    const latest = async () => (await stage.site.proxmox.backups("pbs01", vmId))[0];
    await waitFor(async () => ((await latest())?.takenAt ?? before) > before, 900);
    const taken = (await latest())?.takenAt;
    expect(taken && [taken.getHours(), taken.getMinutes()]).toEqual([3, 30]);
    rmSync(clock);
  });
});
