import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainStatus } from "../../clients/drift";
import { runCommandLine } from "../../commands/cli";
import type { PlanJson } from "../../commands/plan/render";
import { driftReport } from "../../commands/plan/ci/note";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { renderScript } from "../../node/scripts";
import { daemonStep } from "../../node/steps";
import { privateKey } from "../support/key";
import { HOST_KEY } from "../support/mocks";
import { prodWith, stackConfig } from "../support/settings";

/** `plan` and the nodes themselves. `pulumi` and `ssh` are scripts: one node was changed by hand, its twin is down. */

const NODE = "proj-docker02";
const TWIN = "proj-docker01";
const byHand = {
  step: "daemon",
  file: "/etc/docker/daemon.json",
  key: "log-opts.max-file",
  found: '"9"',
  declared: '"3"',
};
const key = privateKey();
const path = process.env.PATH;
let folder: string;

const program = (name: string, text: string): void => {
  writeFileSync(join(folder, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
};
const answer = (name: string, value: unknown): void => {
  writeFileSync(join(folder, name), JSON.stringify(value));
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-looks-"));
  process.env.PATH = `${folder}:${path ?? ""}`;
  const raw = settings();
  const values = Object.entries(stackConfig(raw)).map(([name, { value }]) => [name, { value }]);
  answer("config", Object.fromEntries(values));
  answer("export", { deployment: { resources: resourcesOf(raw) } });
  answer("events", { summaryEvent: { resourceChanges: {}, result: "succeeded" } });
  program(
    "pulumi",
    `case $1 in
  config) cat ${folder}/config ;;
  stack) cat ${folder}/export ;;
  preview | refresh) for last; do :; done; cp ${folder}/events "$last" ;;
esac`,
  );
  program(
    "ssh",
    `cat >/dev/null
echo "$*" >>${folder}/called
case $* in
  *10.25.20.24*) echo '${JSON.stringify(byHand)}' ;;
  *) echo 'ssh: connect to host 10.25.20.23 port 22: No route to host' >&2; exit 255 ;;
esac`,
  );
});
afterEach(() => {
  process.env.PATH = path;
  delete process.env.DOCKER_NODE_DRIFT;
  rmSync(folder, { recursive: true });
});

function settings(): RawSettings {
  const raw = prodWith({ ssh: key.ssh });
  const twin = { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } };
  return { ...raw, nodes: merge(raw.nodes, { [TWIN]: twin }) };
}

/** As `pulumi stack export` has them: a connection is sealed. */
function resourcesOf(raw: RawSettings): object[] {
  return Object.entries(loadSettings(raw).nodes).flatMap(([name, node]) => {
    const { machine } = node;
    const { script, variables } = daemonStep(node);
    const resource = (type: string, step: string, outputs: object): object => ({
      urn: `urn:pulumi:prod::docker-node::${type}::${name}-${step}`,
      type,
      outputs,
    });
    const command = "command:remote:Command";
    const vm = { vmId: machine.vmId, nodeName: machine.proxmoxNode };
    return [
      resource("proxmoxve:index/vmLegacy:VmLegacy", "vm", vm),
      resource(command, "ready", { stdout: HOST_KEY, connection: { ciphertext: "sealed" } }),
      resource(command, "daemon", { stdin: renderScript(script, variables) }),
    ];
  });
}

interface Shown {
  status: number;
  out: string;
  json: PlanJson;
  note: string;
}

const drift = (): Promise<Shown> => plan("--drift");

async function plan(...more: string[]): Promise<Shown> {
  let out = "";
  const written = join(folder, "plans", "prod");
  const status = await runCommandLine(["plan", ...more, "--stack", "prod", "--write", written], {
    print: (text) => (out += `${text}\n`),
  });
  const json = JSON.parse(readFileSync(join(written, "plan.json"), "utf8")) as PlanJson;
  return { status, out, json, note: driftReport(join(folder, "plans"), ["prod"]) };
}

test("what was changed on a node is shown by file, key and value; a node that is down is a finding beside it", async () => {
  const { status, out, json, note } = await drift();
  expect(status).toBe(3);
  expect(json).toMatchObject({ kind: "drift", changes: true, failed: false });
  for (const text of [out, note]) {
    expect(text).toContain("on the nodes: 1 changed by hand, 1 not looked at");
    expect(text).toContain(
      '/etc/docker/daemon.json log-opts.max-file: "9" on the node, "3" as declared; up puts it right',
    );
    expect(text).toMatch(/On proj-docker01[^]*not looked at: 10\.25\.20\.23: .*No route to host/);
  }
  expect(json.looks?.map(({ name }) => name).sort()).toEqual([TWIN, NODE]);
  expect(readFileSync(join(folder, "called"), "utf8").trim().split("\n")).toHaveLength(2);
});

test("what was changed by hand is shown; that alone is status 0", async () => {
  program("ssh", `cat >/dev/null; echo '${JSON.stringify(byHand)}'`);
  const { status, json } = await drift();
  expect(json).toMatchObject({ changes: true, failed: false });
  expect(status).toBe(0);
});

test("a step that was cut off at its limit is a finding beside what the node's other steps show", async () => {
  const failed = JSON.stringify({ step: "hardening", failed: true });
  const said = "docker-node: hardening: ended before it was done";
  program(
    "ssh",
    `cat >/dev/null
case $* in *10.25.20.24*) echo '${JSON.stringify(byHand)}'; echo '${failed}'; echo '${said}' >&2 ;; esac`,
  );
  const { status, out, note } = await drift();
  expect(status).toBe(3);
  for (const text of [out, note]) {
    expect(text).toMatch(/On proj-docker02[^]*not looked at: hardening: ended before it was done/);
    expect(text).toContain('log-opts.max-file: "9" on the node');
  }
});

test("unchanged nodes are not mentioned", async () => {
  program("ssh", "cat >/dev/null");
  const { status, out, json, note } = await drift();
  expect(status).toBe(0);
  expect(out).toContain("on the nodes: all as given");
  expect(json).toMatchObject({ changes: false, looks: [] });
  expect(note).toBe("");
});

test("all nodes are looked at at the same time, each in one session", async () => {
  program(
    "ssh",
    `cat >/dev/null
echo "$*" >>${folder}/called
for _ in {1..100}; do
  (($(wc -l <${folder}/called) < 2)) || exit 0
  sleep 0.1
done
exit 255`,
  );
  expect((await drift()).out).toContain("on the nodes: all as given");
  expect(readFileSync(join(folder, "called"), "utf8").trim().split("\n")).toHaveLength(2);
});

test("nodes are not looked at when the environment says so", async () => {
  process.env.DOCKER_NODE_DRIFT = "off";
  const { out, json } = await drift();
  expect(out).not.toContain("on the nodes");
  expect(json).not.toHaveProperty("looks");
});

test("a configuration that cannot be read fails the plan, with the reason", async () => {
  const raw = settings();
  answer("config", {
    "docker-node:proxmox": { value: JSON.stringify(raw.proxmox) },
    "docker-node:nodes": { value: "{}" },
  });
  const { status, out } = await drift();
  expect(status).toBe(1);
  expect(out).toMatch(/error: the nodes are not looked at: nodes/);
});

describe("a step that has never run on a machine that is there", () => {
  /** What a preview does with resources of the node, by their names' ends. */
  const previewed = (ops: Record<string, string>): void => {
    const lines = Object.entries(ops).map(([step, op]) => {
      const type = step === "vm" ? "proxmoxve:index/vmLegacy:VmLegacy" : "command:remote:Command";
      const urn = `urn:pulumi:prod::docker-node::docker-node:components:DockerNode$${type}::${NODE}-${step}`;
      const parent = `urn:pulumi:prod::docker-node::docker-node:components:DockerNode::${NODE}`;
      const inputs = { parent, inputs: {} };
      return { resourcePreEvent: { metadata: { op, urn, type, new: inputs, old: inputs } } };
    });
    const stack = "urn:pulumi:prod::docker-node::pulumi:pulumi:Stack::docker-node-prod";
    const root = { op: "same", urn: stack, type: "pulumi:pulumi:Stack" };
    const summary = { summaryEvent: { resourceChanges: {}, result: "succeeded" } };
    const all = [{ resourcePreEvent: { metadata: root } }, ...lines, summary];
    writeFileSync(join(folder, "events"), all.map((line) => `${JSON.stringify(line)}\n`).join(""));
  };
  const setting = {
    step: "hardening",
    file: "/etc/ssh/sshd_config.d/10-docker-node.conf",
    key: "PermitRootLogin",
    found: "yes",
    declared: "no",
  };
  beforeEach(() => {
    const raw = settings();
    const adopted = { [NODE]: { ssh: { hostKey: HOST_KEY } } };
    const values = stackConfig({ ...raw, nodes: merge(raw.nodes, adopted) });
    answer(
      "config",
      Object.fromEntries(Object.entries(values).map(([name, { value }]) => [name, { value }])),
    );
    answer("export", { deployment: { resources: [] } });
    program(
      "ssh",
      `cat >${folder}/given
echo "$*" >>${folder}/called
echo '${JSON.stringify(setting)}'`,
    );
  });
  const called = (): string => readFileSync(join(folder, "called"), "utf8");

  test("is shown by file, key and value before it runs, of an adopted machine; the node is only read", async () => {
    previewed({ vm: "import", ready: "create", daemon: "same", hardening: "create" });
    const { out, json } = await plan();
    expect(json).toMatchObject({ kind: "preview", changes: true, failed: false });
    expect(json.looks).toEqual([{ name: NODE, differences: [setting], problems: [] }]);
    expect(out).toContain("on the nodes: 1 to change");
    expect(out).toContain(
      `On ${NODE}:\n  ${setting.file} ${setting.key}: yes on the node, no as declared; up puts it right`,
    );
    expect(called().trim().split("\n")).toHaveLength(1);
    const given = readFileSync(join(folder, "given"), "utf8");
    expect(given).toMatch(/^MODE=check\n/);
    expect(given.match(/^checked \w+ /gm)).toEqual(["checked hardening "]);
    expect(given).toContain("NODE_USER='ubuntu'");
  });

  test.each(["create", "replace"])("is not looked for on a machine to %s", async (op) => {
    previewed({ vm: op, hardening: "create" });
    expect((await plan()).json).not.toHaveProperty("looks");
    expect(called).toThrow(/ENOENT/);
  });

  test("is not looked for without a host key, which is told", async () => {
    const values = Object.entries(stackConfig(settings())).map(([name, { value }]) => [
      name,
      { value },
    ]);
    answer("config", Object.fromEntries(values));
    previewed({ vm: "import", hardening: "create" });
    const { out, json } = await plan();
    expect(out).toContain("not looked at: its ssh.hostKey is not declared");
    expect(json.failed).toBe(false);
    expect(called).toThrow(/ENOENT/);
  });

  test("a node on which every step has run is not looked at", async () => {
    previewed({ vm: "same", hardening: "update" });
    expect((await plan()).json).not.toHaveProperty("looks");
  });
});

test("a look that takes too long says that its time is over", () => {
  const over = "docker-node: lib: its limit of 270 s is over; still running: docker";
  const stderr = `${over}\ndocker-node: lib: ended before it was done\n`;
  expect(explainStatus("10.25.20.24", 143, stderr)).toBe(`10.25.20.24: ${over}`);
});
