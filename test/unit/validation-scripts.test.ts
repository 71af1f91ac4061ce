/** What is measured on a node: the scripts run here, with test/fixtures/validation in place of docker, ss and curl. */
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { renderScript, type ScriptName, type ShellVariables } from "../../node/scripts";

const FIXTURES = join(__dirname, "../fixtures/validation");
const KINDS = ["container", "volume", "network", "image"];

let home: string;
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), "docker-node-validate-"));
  fs.mkdirSync(join(home, "root/var/lib/docker"), { recursive: true });
  fs.symlinkSync("/proc", join(home, "root/proc"));
});
afterEach(() => {
  fs.rmSync(home, { recursive: true, force: true });
});

const put = (path: string, text = ""): void => {
  fs.mkdirSync(join(home, path, ".."), { recursive: true });
  fs.writeFileSync(join(home, path), text);
};
const calls = (): string => fs.readFileSync(join(home, "calls"), "utf8");
const left = (): string[] =>
  KINDS.filter((kind) => fs.existsSync(join(home, kind))).flatMap((kind) =>
    fs.readdirSync(join(home, kind)),
  );

function run(name: ScriptName, variables: ShellVariables = {}) {
  const text = renderScript(name, { LIMIT: 60, POLL_SECONDS: 0.01, ...variables });
  const PATH = [FIXTURES, process.env["PATH"] ?? ""].join(delimiter);
  const env = { PATH, FAKE: home, ROOT_DIR: join(home, "root") };
  const { status, stdout, stderr } = spawnSync("bash", ["-s"], {
    ...{ input: text, env, encoding: "utf8" },
  });
  return { status, stdout, stderr };
}

const measured = (name: ScriptName, variables: ShellVariables = {}): unknown => {
  const { status, stdout, stderr } = run(name, variables);
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
};
const WITHIN = { ACTION: "within" };
const LOAD = { CPU_PERCENT: 10, MEMORY_PERCENT: 1, DURATION: 1 };

describe("load", () => {
  test("is put on the node, measured, and gone", () => {
    expect(measured("validation/load", LOAD)).toEqual({
      cpu: expect.any(Number) as unknown,
      memory: expect.any(Number) as unknown,
      processors: Number(execFileSync("nproc", { encoding: "utf8" })),
      memoryMiB: expect.any(Number) as unknown,
      seconds: 1,
    });
    expect(left()).toEqual([]);
    expect(calls()).toMatch(/run --rm --pull never --label docker-node\.validate=load /);
    expect(calls()).toMatch(/--cpu-shares 2 --oom-score-adj 1000 --memory \d+m --memory-swap \d+m/);
  });

  test("is not put on a node that has no memory for it", () => {
    const { status, stdout, stderr } = run("validation/load", { ...LOAD, MEMORY_PERCENT: 99 });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/load: a load of \d+ MiB does not fit: \d+ MiB are available/);
    expect(calls()).not.toMatch(/ run /);
    expect(left()).toEqual([]);
  });

  test("gives no figure if the kernel ended it, or if it never started", () => {
    put("says", "ready\n");
    expect(run("validation/load", LOAD)).toMatchObject({
      ...{ status: 1, stdout: "" },
      stderr: expect.stringContaining("the load ended while it was measured") as unknown,
    });
    put("broken");
    expect(run("validation/load", LOAD)).toMatchObject({
      ...{ status: 1, stdout: "" },
      stderr: expect.stringMatching(/no such image[^]*the load did not start/) as unknown,
    });
    expect(left()).toEqual([]);
  });
});

describe("latency", () => {
  const figures = {
    rounds: 50,
    ...Object.fromEntries(["p50", "p95", "p99", "max"].map((key) => [key, expect.any(Number)])),
    ...{ asked: "127.0.0.1", address: "127.0.0.1" },
  };

  test("within a node: the other container is asked by its name, on a network of its own", () => {
    const found = measured("validation/latency", { ...WITHIN, ROUNDS: 50 });
    expect(found).toEqual(figures);
    const { p50, p99, max } = found as Record<string, number>;
    expect([p50, p99, max].sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual([p50, p99, max]);
    expect(calls()).toMatch(/network create --label docker-node\.validate=latency /);
    expect(left()).toEqual([]);
  });

  test("a declared network is used and kept", () => {
    measured("validation/latency", { ...WITHIN, NETWORK: "declared", ROUNDS: 5 });
    expect(calls()).toContain("--network declared");
    expect(calls()).not.toContain("network create");
  });

  test("between nodes: served on one, asked from the other, stopped", () => {
    const network = { NETWORK: "instruments" };
    expect(measured("validation/latency", { ACTION: "serve", ...network })).toEqual({
      address: "127.0.0.1",
    });
    expect(left()).toEqual(["docker-node-validate-latency", "tools"]);
    expect(measured("validation/latency", { ACTION: "stop" })).toEqual({});
    expect(left()).toEqual([]);
  });

  test("a container that does not start is told", () => {
    put("broken");
    const { status, stderr } = run("validation/latency", WITHIN);
    expect(status).toBe(1);
    expect(stderr).toContain("no container could be started on network");
    expect(left()).toEqual([]);
  });
});

describe("writes", () => {
  test("python3 says how many, where there is no fio", () => {
    put("says", '{"iops": 5120, "seconds": 15, "tool": "python3"}');
    expect(measured("validation/disk")).toEqual({ iops: 5120, seconds: 15, tool: "python3" });
    expect(calls()).toContain("--volume docker-node-validate-disk:/data");
    expect(left()).toEqual([]);
  });

  test("fio says how many, if the node has it", () => {
    put("root/usr/bin/fio");
    fs.chmodSync(join(home, "root/usr/bin/fio"), 0o755);
    put("says", JSON.stringify({ "fio version": "fio-3.36", jobs: [{ write: { iops: 812.4 } }] }));
    expect(measured("validation/disk")).toEqual({ iops: 812, seconds: 15, tool: "fio-3.36" });
    expect(calls()).toMatch(/--direct=1/);
  });

  test("nothing is written where the disk is nearly full", () => {
    const { status, stderr } = run("validation/disk", { SIZE_MIB: 10 ** 12 });
    expect(status).toBe(1);
    expect(stderr).toMatch(/disk: \d+ MiB are free below \/var\/lib\/docker; allowed: more than/);
    expect(calls()).not.toContain("volume create");
    expect(left()).toEqual([]);
  });
});

test("a test container tells how it is confined", () => {
  expect(measured("validation/container")).toEqual({
    milliseconds: expect.any(Number) as unknown,
    uid: expect.any(Number) as unknown,
    noNewPrivileges: expect.any(Boolean) as unknown,
    seccomp: expect.any(Boolean) as unknown,
    apparmor: expect.any(String) as unknown,
  });
});

describe("disk space", () => {
  test("how full the disk is, and what Docker has on it", () => {
    expect(measured("validation/space")).toEqual({
      percent: expect.any(Number) as unknown,
      inodes: expect.any(Number) as unknown,
      kinds: ["Images 1.2GB, 200MB (16%) reclaimable", "Build Cache 0B, 0B reclaimable"],
    });
  });

  test("Docker that does not answer is told", () => {
    put("down");
    const { status, stdout, stderr } = run("validation/space");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/Docker does not answer/);
  });
});

test("a container asks for a name", () => {
  const ask = (HOST_NAME: string) => measured("validation/discovery", { HOST_NAME });
  expect(ask("localhost")).toEqual({ address: "127.0.0.1" });
  expect(ask("no such name")).toEqual({ address: null });
});

test("the image has links into the node's /usr, and no program", () => {
  measured("validation/container");
  const list = execFileSync("tar", ["tvf", join(home, "archive")], { encoding: "utf8" });
  expect(list).toMatch(/ bin -> usr\/bin$/m);
  expect(list).toMatch(/^d.* usr\/$/m);
  expect(list).not.toMatch(/^-/m);
});

test.each(["container", "disk", "latency", "load"] as const)(
  "%s: Docker that does not answer is told, and nothing is tried",
  (name) => {
    put("down");
    const { status, stdout, stderr } = run(`validation/${name}`, { ...WITHIN, ...LOAD });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/Cannot connect to the Docker daemon\n.*Docker does not answer/);
    expect(calls().trim().split("\n")).toHaveLength(1);
  },
);

describe("leftovers", () => {
  test("of a run that was killed go first", () => {
    for (const kind of KINDS) put(`${kind}/old`);
    measured("validation/container");
    expect(left()).toEqual([]);
  });

  test("that cannot be removed are named, and nothing is measured", () => {
    put("container/old");
    put("stuck");
    const { status, stdout, stderr } = run("validation/container");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/an earlier run left over what cannot be removed\ncontainer old/);
  });

  test("of this run make its result invalid", () => {
    put("says", '{"uid":0}');
    const stuckLater = `docker() { [[ $* != *' run '* ]] || touch "$FAKE/stuck"; command docker "$@"; }\nexport -f docker\n`;
    const text = renderScript("validation/container", { POLL_SECONDS: 0.01 });
    // `timeout` starts what is on the PATH: the function stands where it is called.
    const shown = text.replace(/timeout "\$\{DOCKER_TIMEOUT:-60\}" docker/, "docker");
    const PATH = [FIXTURES, process.env["PATH"] ?? ""].join(delimiter);
    const env = { PATH, FAKE: home, ROOT_DIR: join(home, "root") };
    const { status, stdout, stderr } = spawnSync("bash", ["-s"], {
      ...{ input: stuckLater + shown, env, encoding: "utf8" },
    });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/container: left over\nimage tools/);
  });
});

describe("what the node answers on", () => {
  const tool = (name: string, text: string): void => {
    put(`bin/${name}`, `#!/bin/sh\n${text}\n`);
    fs.chmodSync(join(home, "bin", name), 0o755);
  };
  const answers = (variables: ShellVariables = {}): unknown => {
    const text = renderScript("validation/reach", variables);
    const PATH = [join(home, "bin"), process.env["PATH"] ?? ""].join(delimiter);
    const env = { PATH, ROOT_DIR: join(home, "root") };
    const { stdout } = spawnSync("bash", ["-s"], { input: text, env, encoding: "utf8" });
    return JSON.parse(stdout);
  };
  const AGENT_URL = "https://10.25.20.24:9001";

  test("ports of every address, and the status of the agent", () => {
    const rows = ["0.0.0.0:22", "[::]:22", "127.0.0.53%lo:53", "*:8080"];
    tool("ss", rows.map((local) => `echo 'LISTEN 0 128 ${local} 0.0.0.0:*'`).join("\n"));
    tool("curl", "printf 204");
    const listening = [
      ...[
        { address: "0.0.0.0", port: 22 },
        { address: "::", port: 22 },
      ],
      { address: "127.0.0.53", port: 53 },
      { address: "*", port: 8080 },
    ];
    expect(answers({ AGENT_URL })).toEqual({ listening, agent: 204, reboot: null });
    expect(answers()).toEqual({ listening, agent: null, reboot: null });
    put("root/run/reboot-required", "*** System restart required ***\n");
    expect(answers()).toMatchObject({ reboot: [] });
    put("root/run/reboot-required.pkgs", "linux-base\nlibc6\nlinux-base\n");
    expect(answers()).toMatchObject({ reboot: ["libc6", "linux-base"] });
  });

  test("an agent that is down is 0", () => {
    tool("ss", ":");
    tool("curl", "printf 000; exit 7");
    expect(answers({ AGENT_URL })).toMatchObject({ listening: [], agent: 0 });
  });
});
