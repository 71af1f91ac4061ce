import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { SCRIPTS, type ScriptName } from "../../node/scripts";
import { home, lib, session, textOf, useNode } from "../support/node";

/** One run at a time on a node, and none longer than it may take: lib.sh, with real processes. */

useNode();

interface Run {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<{ status: number | null; stdout: string; stderr: string }>;
}

/** Starts commands after the shared functions, and does not wait. */
const start = (commands: string, variables: Record<string, string> = {}): Run =>
  run(`${textOf("boot").split("SCRIPT=boot")[0] ?? ""}\n${commands}`, variables);

/** Starts a shell, and does not wait. */
function run(text: string, variables: Record<string, string>): Run {
  const { input, env } = session(text, variables);
  const child = spawn("bash", ["-s"], { env });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  child.stdin.end(input);
  const ended = once(child, "close").then(([status]) => ({
    status: status as number | null,
    stdout,
    stderr,
  }));
  return { child, ended, said: () => stderr + stdout };
}

const file = (name: string): string => join(home, name);
const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1000) throw new Error("it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
/** Holds the node until the file `go` is there. */
const HOLD = `SCRIPT=install; begin_change; : >"$FAKE/held"; while [[ ! -e $FAKE/go ]]; do sleep 0.05; done; echo held`;
const held = (): boolean => existsSync(file("fake/held"));

/** Runs a script, which waits for a moment only, while `first` holds the node; `first` goes on holding it. */
async function runBesideAnother(script: ScriptName, variables: Record<string, string>) {
  const first = start(HOLD);
  await until(held);
  const second = run(textOf(script), { ...variables, LOCK_TIMEOUT: "0.2" });
  return { first, ...(await second.ended) };
}

/** Scripts that change nothing of Docker, its files and its containers, or confirm what the step before them has loaded. */
const READS: readonly ScriptName[] = [
  ...(["agent-certificate", "boot", "reachability", "ready", "firewall/confirm"] as const),
  ...(["benchmark/facts", "benchmark/official", "monitoring/drift", "monitoring/health"] as const),
  ...(["recovery/docker", "recovery/inventory"] as const),
  ...([
    "recovery/rehearsal",
    "validation/addresses",
    "validation/reach",
    "validation/space",
  ] as const),
  "validation/scan",
];

/** What scripts ask for before anything else. */
const ASKED = {
  ...{ ACTION: "stop", SUBJECT: "data", VOLUME: "data", HOST_NAME: "web" },
  ...{ CPU_PERCENT: "1", MEMORY_PERCENT: "1" },
  ...{
    METHOD: "POST",
    REQUEST_PATH: "/containers/web/stop",
    SOURCE: "registry.example.org/web@sha256:1",
  },
};

describe("one run at a time", () => {
  test("the later one waits, says once and in one line for whom, and goes on when that is over", async () => {
    const first = start(HOLD);
    await until(held);
    const second = start("SCRIPT=daemon; begin_change; echo second");
    await until(() => second.said().includes("waiting"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(second.child.exitCode).toBeNull();
    writeFileSync(file("fake/go"), "");
    expect(await first.ended).toMatchObject({ status: 0, stdout: "held\n", stderr: "" });
    const { status, stdout, stderr } = await second.ended;
    expect({ status, stdout }).toEqual({ status: 0, stdout: "second\n" });
    expect(stderr).toMatch(
      /^docker-node: daemon: waiting, for at most 1800 s, until another run on this node is over: install, process \d+, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/,
    );
  });

  test("it does not wait for ever", async () => {
    const first = start(HOLD);
    await until(held);
    const second = await start("SCRIPT=daemon; begin_change; echo second", { LOCK_TIMEOUT: "1" })
      .ended;
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toMatch(
      /another run on this node was not over after 1 s: install, process/,
    );
    writeFileSync(file("fake/go"), "");
    await first.ended;
  });

  test("a run that is killed leaves no lock", async () => {
    const first = start(HOLD);
    await until(held);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(lib("SCRIPT=daemon; begin_change; echo free")).toMatchObject({
      status: 0,
      stdout: "free\n",
      stderr: "",
    });
  });

  test("what a killed run has started and left still counts as the run", async () => {
    const first = start(
      'SCRIPT=install; begin_change; : >"$FAKE/held"; sleep 2 >/dev/null 2>&1; echo',
    );
    await until(held);
    first.child.kill("SIGKILL");
    const second = lib("SCRIPT=daemon; begin_change; echo free");
    expect(second.stderr).toContain("until another run on this node is over: install");
    expect(second).toMatchObject({ status: 0, stdout: "free\n" });
  });

  test.each(SCRIPTS.filter((script) => !READS.includes(script)))(
    "%s takes the lock before anything else",
    async (script) => {
      const { first, status, stderr } = await runBesideAnother(script, ASKED);
      expect(status).toEqual(1);
      expect(stderr).toContain(
        `docker-node: ${basename(script)}: another run on this node was not over`,
      );
      expect(existsSync(file("fake/calls"))).toBe(false);
      writeFileSync(file("fake/go"), "");
      await first.ended;
    },
  );
});

test.each<[ScriptName, Record<string, string>]>([
  ["recovery/api", { METHOD: "GET", REQUEST_PATH: "/info" }],
  ["recovery/image", { IMAGE: "web:1" }],
])("%s waits for nobody where it only reads", async (script, variables) => {
  rmSync(file("bin/curl"));
  const { first, stderr } = await runBesideAnother(script, variables);
  expect(stderr).not.toContain("another run");
  writeFileSync(file("fake/go"), "");
  await first.ended;
});

describe("a limit on the node itself", () => {
  test("ends the run and what it has started, and says so", async () => {
    const begun = Date.now();
    const run = start(
      'SCRIPT=install; begin_change; (bash -c "echo \\$\\$ >$FAKE/grandchild; sleep 60; true") ; echo not reached',
      { LIMIT: "1" },
    );
    const { status, stdout, stderr } = await run.ended;
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(
      /^docker-node: install: its limit of 1 s is over; still running: bash sleep\n[^]*docker-node: install: ended before it was done\n$/,
    );
    expect(Date.now() - begun).toBeLessThan(15_000);
    const grandchild = readFileSync(file("fake/grandchild"), "utf8").trim();
    expect(existsSync(`/proc/${grandchild}`)).toBe(false);
    expect(lib("SCRIPT=daemon; begin_change; echo free")).toMatchObject({ status: 0, stderr: "" });
  });

  test("ends what is being waited for inside a substitution as well", async () => {
    const run = start(
      "SCRIPT=install; begin_change; if ! x=$(sleep 60 2>&1); then echo went on; fi; echo not reached",
      { LIMIT: "1" },
    );
    expect(await run.ended).toMatchObject({ status: 1, stdout: "" });
  });

  test.each<[ScriptName, Record<string, string>]>([
    ["recovery/api", { METHOD: "GET", REQUEST_PATH: "/info" }],
    ["recovery/docker", {}],
    ["recovery/image", { IMAGE: "web:1" }],
    ["recovery/inventory", {}],
    ["recovery/rehearsal", { REHEARSAL: "lab", ACTION: "state", KIND: "volume" }],
  ])("ends %s where docker does not answer", async (script, variables) => {
    for (const name of ["docker", "curl"]) {
      rmSync(file(`bin/${name}`));
      writeFileSync(file(`bin/${name}`), "#!/bin/bash\nsleep 60\n", { mode: 0o755 });
    }
    const { env, input } = session(textOf(script), { ...variables, LIMIT: "1" });
    const child = spawn("bash", ["-s"], { env });
    let stderr = "";
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.stdin.end(input);
    expect(await once(child, "close")).toEqual([1, null]);
    expect(stderr).toContain(`docker-node: ${basename(script)}: its limit of 1 s is over`);
  });

  test("does not hold up a run that is done, nor outlive one that is killed", async () => {
    const begun = Date.now();
    expect(lib("SCRIPT=boot; limit_run; echo done", { LIMIT: "60" })).toMatchObject({
      status: 0,
      stdout: "done\n",
      stderr: "",
    });
    expect(Date.now() - begun).toBeLessThan(20_000);
    const killed = start('SCRIPT=boot; limit_run; : >"$FAKE/held"; while :; do :; done', {
      LIMIT: "60",
    });
    await until(held);
    killed.child.kill("SIGKILL");
    // The watcher has the same standard error: its end is the watcher's.
    expect((await killed.ended).stderr).toBe("");
  });

  test("begins when the node is free", async () => {
    const first = start(HOLD);
    await until(held);
    const second = start("SCRIPT=daemon; begin_change; echo $SECONDS", { LIMIT: "1" });
    await until(() => second.said().includes("waiting"));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    writeFileSync(file("fake/go"), "");
    expect(await second.ended).toMatchObject({ status: 0, stdout: "0\n" });
    await first.ended;
  });
});
