/**
 * A volume's recovery with real pipes and files: the scripts run here, in a scratch directory, with
 * test/fixtures/recovery in place of docker, curl and the backup client.
 */
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { renderScript } from "../../node/scripts";
import { pipe, run, type Command } from "../../clients/process";
import { connect } from "../../clients/backup-server";
import type { NodeShell } from "../../clients/ssh";
import { backupsOf, type Site } from "../../commands/site/site";
import { describe as shown } from "../../commands/restore/describe";
import { perform } from "../../commands/restore/perform";
import { planVolume } from "../../commands/restore/volume";
import { prodNode } from "../support/settings";

const FIXTURES = join(__dirname, "../fixtures/recovery");
const TAKEN = "2026-01-31T02:30:00Z";
const NOW = new Date("2026-01-31T10:00:00Z");
const IMAGE = `backup:1@sha256:${"b".repeat(64)}`;
const SAFETY = "data.before-2026-01-31T100000Z";

let home: string;
let env: Record<string, string>;
let printed: string[];
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), "recovery-"));
  for (const folder of ["volumes", "containers", "archives", "root"])
    fs.mkdirSync(join(home, folder));
  const PATH = [FIXTURES, process.env["PATH"] ?? ""].join(delimiter);
  env = { PATH, FAKE: home, ROOT_DIR: join(home, "root"), POLL_SECONDS: "0.02" };
  printed = [];
});
afterEach(() => {
  spawnSync("chattr", ["-R", "-f", "-i", home]);
  fs.rmSync(home, { recursive: true, force: true });
});

const put = (path: string, text: string): void => {
  const file = join(home, path);
  fs.mkdirSync(join(file, ".."), { recursive: true });
  fs.writeFileSync(file, text);
};
const content = (volume: string): Record<string, string> => {
  const root = join(home, "volumes", volume);
  const files = fs.readdirSync(root, { recursive: true }).map(String).sort();
  const read = files.filter((file) => fs.statSync(join(root, file)).isFile());
  return Object.fromEntries(read.map((file) => [file, fs.readFileSync(join(root, file), "utf8")]));
};
const volumes = (): string[] => fs.readdirSync(join(home, "volumes")).sort();
const state = (container: string): string =>
  fs.readFileSync(join(home, "containers", container), "utf8").trim();
const calls = (): string[] => fs.readFileSync(join(home, "calls"), "utf8").trim().split("\n");

/** A snapshot of the volume `data` with these files. */
function backedUp(files: Record<string, string>, meta: object = {}): void {
  for (const [file, text] of Object.entries(files)) put(`source/${file}`, text);
  const archive = `archives/proj-docker02/volumes/data/${TAKEN}`;
  put(`${archive}/meta.conf`, JSON.stringify(meta));
  const target = join(home, archive, "data.pxar");
  execFileSync("tar", ["-c", "-C", join(home, "source"), "-f", target, "."]);
}

const within = (command: readonly string[]): Command => {
  const [program = "", ...args] = command;
  return { program: join(FIXTURES, program), args, env };
};
const shell: NodeShell = {
  script: async (name, variables) =>
    (await run({ program: "bash", args: ["-s"], env }, renderScript(name, variables))).trim(),
  feed: (command, from) => pipe(from, within(command)),
  shown: (command) => command.join(" "),
};

function site(): Site {
  const server = { host: "192.0.2.6", port: 8007, datastore: "docker", fingerprint: "AA" };
  const client = join(FIXTURES, "proxmox-backup-client");
  process.env["FAKE"] = home;
  const access = { ...server, tokenId: "restore@pbs!r", token: "t", keyfile: "/key", client };
  const node = prodNode({ backups: { image: IMAGE } });
  const backups = backupsOf("proj-docker02", node);
  const repository = connect(access, "proj-docker02");
  const site: Partial<Site> = { name: "proj-docker02", node, backups, shell, repository };
  return { ...site, now: () => NOW } as Site;
}

async function restore(): ReturnType<typeof perform> {
  const recovery = await planVolume(site(), "data");
  return perform(recovery, (line) => printed.push(line));
}

const lost = (): void => {
  put("volumes/data/file", "live");
  put("volumes/data/newer", "only here");
  put("containers/web", "running data\n");
  put("containers/other", "running elsewhere\n");
  put("containers/docker_node_backup", "running none\n");
};

test("a deleted volume is made anew, as it was declared, with the content of the snapshot", async () => {
  backedUp({ file: "precious", "deep/one": "1" }, { driver: "local", labels: { purpose: "x" } });
  expect(await restore()).toMatchObject({ ok: true });
  expect(content("data")).toEqual({ "deep/one": "1", file: "precious" });
  expect(volumes()).toEqual(["data"]);
  const creation = calls().find((line) => line.startsWith("curl"));
  expect(creation).toContain('{"Name":"data","Driver":"local","Labels":{"purpose":"x"}');
});

describe.each([
  [{ type: "nfs", device: "share", o: "addr=192.0.2.9" }, "type=nfs, device=share"],
  [{ type: "none", device: "share", o: "bind,password=x" }, "type=none, device=share"],
  [{ device: "share" }, "device=share"],
])("a volume whose record is lost, with its data outside Docker (%j)", (options, place) => {
  beforeEach(() => {
    backedUp({ file: "precious" }, { options });
    put("share/file", "live");
    put("share/newer", "only here");
  });
  const share = (): string[] => fs.readdirSync(join(home, "share")).sort();

  test("is made first, and what is there is kept", async () => {
    const plan = await planVolume(site(), "data");
    const titles = plan.steps.map(({ title }) => title);
    expect(titles.slice(4, 7)).toEqual([
      `make the volume data as it was declared; its data is outside Docker and may still be there: ${place}`,
      `copy data as it is to ${SAFETY}`,
      "put the content of data.restoring into data, and compare",
    ]);
    expect(plan.afterwards).toEqual([expect.stringContaining(`docker volume rm ${SAFETY}`)]);
    expect(await perform(plan, (line) => printed.push(line))).toMatchObject({ ok: true });
    expect(content("data")).toEqual({ file: "precious" });
    expect(content(SAFETY)).toEqual({ file: "live", newer: "only here" });
  });

  test("gets back what was there when the backup cannot be put in place", async () => {
    put("fail", "source=data.restoring,target=/from");
    expect((await restore()).error).toMatch(/state: as it was before, nothing is lost$/);
    expect(share()).toEqual(["file", "newer"]);
    expect(fs.readFileSync(join(home, "share/file"), "utf8")).toBe("live");
    expect(volumes()).toEqual([]);
  });

  test("is not touched when it cannot be copied, as when the share does not answer", async () => {
    put("fail", "source=data,target=/from");
    expect((await restore()).error).toMatch(/state: as it was before, nothing is lost$/);
    expect(share()).toEqual(["file", "newer"]);
    expect(volumes()).toEqual([]);
  });
});

test("over live data: what was there is kept, and who uses it is stopped and started", async () => {
  lost();
  backedUp({ file: "precious" });
  expect(await restore()).toMatchObject({ ok: true });
  expect(content("data")).toEqual({ file: "precious" });
  expect(content(SAFETY)).toEqual({ file: "live", newer: "only here" });
  expect(volumes()).toEqual(["data", SAFETY]);
  const stops = calls().filter((line) => line.startsWith("stop"));
  expect(stops).toEqual(["stop -t 120 docker_node_backup", "stop -t 120 web"]);
  expect(["web", "other", "docker_node_backup"].map(state)).toEqual([
    "running data",
    "running elsewhere",
    "running none",
  ]);
});

test("a plan touches nothing and says what would be done", async () => {
  lost();
  backedUp({ file: "precious" });
  const plan = shown(await planVolume(site(), "data"), NOW);
  expect(plan).toMatchInlineSnapshot(`
   "volume data on proj-docker02
   from:     host/data/2026-01-31T02:30:00Z, 7 h 30 min old
   required: RTO below 30 min, RPO below 1 d

     1. have the backup image on the node: backup:1@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
     2. extract host/data/2026-01-31T02:30:00Z into the volume data.restoring
          proxmox-backup-client restore host/data/2026-01-31T02:30:00Z data.pxar - --ns proj-docker02/volumes --keyfile /key |
            docker run --interactive --rm --label docker-node.recovery=data --pull never --userns host --network none --log-driver none --cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add FSETID --cap-add SETFCAP --cap-add MKNOD --cap-add LINUX_IMMUTABLE --mount type=volume,source=data.restoring,target=/restore,volume-nocopy --entrypoint pxar backup:1@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb extract - /restore
          if it fails: remove data.restoring
     3. take the digest of data.restoring; the snapshot has none
     4. stop web, docker_node_backup
          if it fails: start web, docker_node_backup
     5. copy data as it is to data.before-2026-01-31T100000Z
          if it fails: remove data.before-2026-01-31T100000Z
     6. put the content of data.restoring into data, and compare
          if it fails: put data.before-2026-01-31T100000Z back into data
     7. start what was stopped
     8. remove data.restoring

   afterwards: what data held before is in data.before-2026-01-31T100000Z; when all is well: docker volume rm data.before-2026-01-31T100000Z"
  `);
  expect(content("data")).toEqual({ file: "live", newer: "only here" });
  expect(calls().filter((line) => /^(run|stop|volume (create|rm))/.test(line))).toEqual([]);
});

describe("the recorded digest", () => {
  const extracted = async (): Promise<string> => {
    backedUp({ file: "precious" });
    await restore();
    return /sha256 (\w{64})/.exec(printed.join("\n"))?.[1] ?? "";
  };

  test("is compared", async () => {
    const digest = await extracted();
    backedUp({ file: "precious" }, { digest, consistency: "stop" });
    expect(await restore()).toMatchObject({ ok: true });
  });

  test("of a stopped volume must match, or the restore is refused before anything is changed", async () => {
    lost();
    backedUp({ file: "precious" }, { digest: "0".repeat(64), consistency: "stop" });
    expect((await restore()).error).toMatch(
      /not what was backed up: extracted sha256 \w+, recorded 0+\n/,
    );
    expect(content("data")).toEqual({ file: "live", newer: "only here" });
    expect(volumes()).toEqual(["data"]);
    expect(calls().filter((line) => line.startsWith("stop"))).toEqual([]);
  });

  test("of a volume in use may differ, with a warning", async () => {
    backedUp({ file: "precious" }, { digest: "0".repeat(64), consistency: "none" });
    expect(await restore()).toMatchObject({ ok: true });
    expect(printed.join("\n")).toContain("was in use during its backup");
  });
});

/** Whether files here can be such that nobody may change them: it takes root, and a file system that keeps flags. */
const freezes = ((): boolean => {
  const file = join(fs.mkdtempSync(join(tmpdir(), "recovery-")), "file");
  fs.writeFileSync(file, "");
  const able = ["+i", "-i"].map((flag) => spawnSync("chattr", [flag, file]).status === 0);
  fs.rmSync(join(file, ".."), { recursive: true });
  return able.every(Boolean);
})();

(freezes ? describe : describe.skip)("files that nobody may change (chattr +i)", () => {
  const FLAGS =
    "1 files or directories have the flags append only or immutable, which are not restored (chattr +a, +i)";

  test("come back with their content, and what is not restored of them is told", async () => {
    backedUp({ file: "precious", other: "x" });
    put("frozen", "file");
    expect(await restore()).toMatchObject({ ok: true });
    expect(content("data")).toEqual({ file: "precious", other: "x" });
    expect(volumes()).toEqual(["data"]);
    expect(printed.join("\n")).toContain(FLAGS);
    // Nothing keeps the next one from replacing it.
    expect(await restore()).toMatchObject({ ok: true });
  });

  test("in the live volume do not keep it from being replaced, and are told", async () => {
    lost();
    backedUp({ file: "precious" });
    execFileSync("chattr", ["+i", join(home, "volumes/data/newer")]);
    expect(await restore()).toMatchObject({ ok: true });
    expect(content("data")).toEqual({ file: "precious" });
    expect(content(SAFETY)).toEqual({ file: "live", newer: "only here" });
    expect(printed.join("\n")).toContain(`in data as it was, ${FLAGS}`);
  });

  test("left by a run that was killed are no obstacle", async () => {
    backedUp({ file: "precious" });
    put("volumes/data.restoring/half", "…");
    execFileSync("chattr", ["+i", join(home, "volumes/data.restoring/half")]);
    expect(await restore()).toMatchObject({ ok: true });
    expect(volumes()).toEqual(["data"]);
  });
});

test("a stream that breaks off leaves the live volume alone and no trace", async () => {
  lost();
  backedUp({ file: "x".repeat(100_000) });
  put("cut", "50000");
  const outcome = await restore();
  expect(outcome.error).toMatch(/proxmox-backup-client ended with 255: Error: connection reset/);
  expect(outcome.error).toMatch(/state: as it was before, nothing is lost$/);
  expect(content("data")).toEqual({ file: "live", newer: "only here" });
  expect(volumes()).toEqual(["data"]);
  expect(state("web")).toBe("running data");
});

test("when the content cannot be put in place, what was there comes back and everything runs again", async () => {
  lost();
  backedUp({ file: "precious" });
  put("fail", "source=data.restoring,target=/from");
  const outcome = await restore();
  expect(outcome.error).toMatch(/as it was before/);
  expect(content("data")).toEqual({ file: "live", newer: "only here" });
  expect(volumes()).toEqual(["data"]);
  expect(state("web")).toBe("running data");
});

test("when not even that works, the safety copy stays and is named", async () => {
  lost();
  backedUp({ file: "precious" });
  put("fail", "source=data,target=/to");
  const outcome = await restore();
  expect(outcome.error).toContain(
    `state: NOT as before. These steps could not be undone: put ${SAFETY} back into data`,
  );
  expect(content(SAFETY)).toEqual({ file: "live", newer: "only here" });
});

test("the restored data stays even if a container does not start again", async () => {
  lost();
  backedUp({ file: "precious" });
  put("fail", "^start web");
  const outcome = await restore();
  expect(outcome.error).toMatch(/not started again: web/);
  expect(outcome.error).toMatch(
    /state: restored, but "start what was stopped" is still to be done/,
  );
  expect(content("data")).toEqual({ file: "precious" });
  expect(state("docker_node_backup")).toBe("running none");
});

test.each([
  [
    9e15,
    /volume data: its restore needs \d+\.\d GiB on Docker's disk .*, and \d+\.\d GiB are free/,
  ],
  [10, undefined],
])("a snapshot of %d bytes is compared with the free space", async (size, message) => {
  backedUp({ file: "precious" });
  const files = [{ filename: "data.pxar.didx", size }];
  put(`archives/proj-docker02/volumes/data/${TAKEN}/index.json`, JSON.stringify({ files }));
  put("root/var/lib/docker/volumes/metadata.db", "");
  const planned = planVolume(site(), "data");
  if (message) await expect(planned).rejects.toThrow(message);
  else expect((await planned).steps).not.toEqual([]);
  expect(calls().filter((line) => /^(run|stop|volume (create|rm))/.test(line))).toEqual([]);
});

describe("a container that Docker removes when it stops (--rm)", () => {
  beforeEach(() => {
    lost();
    backedUp({ file: "precious" });
  });

  test("is named before anything is touched", async () => {
    put("containers/once", "running data rm\n");
    await expect(planVolume(site(), "data")).rejects.toThrow(
      /volume data: .*\(--rm\).*: once\. .*first: docker stop once$/,
    );
    expect(calls().filter((line) => /^(run|stop|volume (create|rm))/.test(line))).toEqual([]);
  });

  test("is no obstacle when it does not run, or does not use the volume", async () => {
    put("containers/once", "created data rm\n");
    put("containers/twice", "running elsewhere rm\n");
    expect(await restore()).toMatchObject({ ok: true });
    expect(state("twice")).toBe("running elsewhere rm");
  });

  test("that came after the plan stops the restore before anything is stopped", async () => {
    const plan = await planVolume(site(), "data");
    put("containers/once", "running data rm\n");
    const { error } = await perform(plan, (line) => printed.push(line));
    expect(error).toMatch(/would be removed when they stop \(--rm\): once;/);
    expect(error).toMatch(/state: as it was before, nothing is lost$/);
    expect(calls().filter((line) => line.startsWith("stop"))).toEqual([]);
    expect(state("once")).toBe("running data rm");
  });
});

test("what is gone meanwhile is not reported as started", async () => {
  lost();
  const act = (ACTION: string): Promise<string> =>
    shell.script("recovery/volume", { ACTION, SUBJECT: "data", VOLUME: "data" });
  await act("stop");
  fs.rmSync(join(home, "containers/web"));
  expect(await act("start")).toBe("docker_node_backup; gone meanwhile: web");
  expect(await act("start")).toBe("");
});

test("killed in the middle, nothing is lost, and the next run starts what it had stopped", async () => {
  lost();
  backedUp({ file: "precious" });
  // What a killed run leaves: the staging volume, a safety copy, stopped containers, and the list of them.
  await shell.script("recovery/volume", {
    ACTION: "stop",
    SUBJECT: "data",
    VOLUME: "data",
  });
  put("volumes/data.restoring/half", "…");
  expect(state("web")).toBe("exited data");
  expect(await restore()).toMatchObject({ ok: true });
  expect(content("data")).toEqual({ file: "precious" });
  expect(content(SAFETY)).toEqual({ file: "live", newer: "only here" });
  expect(["web", "docker_node_backup"].map(state)).toEqual(["running data", "running none"]);
  expect(volumes()).toEqual(["data", SAFETY]);
});

test("an unknown volume and an unknown time name what there is", async () => {
  backedUp({ file: "precious" });
  await expect(planVolume(site(), "dota")).rejects.toThrow(
    "dota: never backed up; there are backups of: data",
  );
  await expect(planVolume(site(), "data", "yesterday")).rejects.toThrow(
    `--snapshot yesterday; allowed: latest, ${TAKEN}`,
  );
  fs.rmSync(join(home, "archives"), { recursive: true });
  await expect(planVolume(site(), "data")).rejects.toThrow("there are backups of: nothing");
});
