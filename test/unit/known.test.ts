import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { ClusterError } from "../../clients/proxmox";
import { merge } from "../../config/load";
import runStack from "../../index";
import { checkableSteps } from "../../node/checkable";
import type { State } from "../../node/recorded";
import { privateKey } from "../support/key";
import { HOST_KEY, Recorder, settle, startPulumi } from "../support/mocks";
import { mockConfig, prodNode, prodWith } from "../support/settings";
import { IMAGE, withWeb } from "../support/workloads";

/** What the program knows of a node from the state, and what it sees on it. `ssh` is a script that says what a test wants. */

const NODE = "proj-docker02";
const STEPS = [
  ...["ready", "boot", "storage", "install", "daemon", "access"],
  ...["firewall", "firewall-confirm"],
];
const key = privateKey();

let folder: string;
let warnings: string[];
const path = process.env.PATH;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-ssh-"));
  const ssh = join(folder, "ssh");
  writeFileSync(
    ssh,
    `#!/bin/bash\nif [[ $1 == -V ]]; then echo OpenSSH_9.6p1 >&2; exit; fi\necho "$*" >>${folder}/called\ncat >${folder}/stdin\ncat ${folder}/stdout 2>/dev/null\ncat ${folder}/stderr >&2 2>/dev/null\nexit "$(cat ${folder}/status 2>/dev/null || echo 0)"\n`,
  );
  chmodSync(ssh, 0o755);
  process.env.PATH = `${folder}:${path ?? ""}`;
  warnings = [];
  jest.spyOn(pulumi.log, "warn").mockImplementation((text) => {
    warnings.push(text);
    return Promise.resolve();
  });
});
afterEach(() => {
  process.env.PATH = path;
  delete process.env.DOCKER_NODE_DRIFT;
  rmSync(folder, { recursive: true });
  jest.restoreAllMocks();
});

const says = (name: "stdout" | "stderr" | "status", text: string): void => {
  writeFileSync(join(folder, name), text);
};
const finds = (...differences: object[]): void => {
  says("stdout", differences.map((one) => `${JSON.stringify(one)}\n`).join(""));
};
const called = (): boolean => existsSync(join(folder, "called"));

async function run(
  override: object = {},
  state?: State,
  preview = false,
  cluster: Readonly<Record<string, unknown>> = {},
  secrets: Readonly<Record<string, string>> = {},
): Promise<Recorder> {
  const raw = prodWith(merge({ ssh: key.ssh }, override));
  const recorder = await startPulumi({
    preview,
    state,
    cluster,
    config: { ...mockConfig(raw), ...secrets },
  });
  await runStack();
  await settle(recorder);
  return recorder;
}

/** A text, also one that is secret. */
const textOf = (stdin: unknown): string =>
  String(typeof stdin === "object" && stdin !== null && "value" in stdin ? stdin.value : stdin);

const secret = (value: unknown): object => ({
  [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
  value,
});

/** As Pulumi tells it of its last deployment: a connection is a secret, and its key is one again within it. */
function stateOf(recorder: Recorder): State {
  const resources = recorder.resources.map(({ type, name, inputs: given }) => {
    const { connection } = given as { connection?: { value: { privateKey: string } } };
    const inputs = connection ? { ...given, connection: marked(connection.value) } : given;
    const stdout = name.endsWith("-ready") ? { stdout: HOST_KEY } : {};
    return [
      `urn:pulumi:test::docker-node::parent$${type}::${name}`,
      { type, outputs: { ...inputs, ...stdout } },
    ];
  });
  return Object.fromEntries(resources) as State;
}

const urnOf = (state: State, end: string): string =>
  Object.keys(state).find((urn) => urn.includes("remote:Command::") && urn.endsWith(end)) ?? "";

const marked = ({ privateKey, ...rest }: { privateKey: string }): object =>
  secret({ ...rest, privateKey: secret(privateKey) });

const commands = (recorder: Recorder): Record<string, Record<string, unknown>> =>
  Object.fromEntries(
    STEPS.map((step) => [step, recorder.find("command:remote:Command", `${NODE}-${step}`).inputs]),
  );
const stdin = (recorder: Recorder, step: string): string => String(commands(recorder)[step]?.stdin);
const token = (recorder: Recorder, step = "daemon"): string | undefined =>
  /\n# repairs ([0-9a-f]{16})\n$/.exec(stdin(recorder, step))?.[1];
const connection = (recorder: Recorder): Record<string, unknown> =>
  (commands(recorder).ready?.connection as { value: Record<string, unknown> }).value;
/** Another value of something in the connection that the state has of `ready`. */
function withConnection(state: State, other: object): State {
  const urn = Object.keys(state).find((one) => one.endsWith("-ready")) ?? "";
  const outputs = { ...state[urn]?.outputs };
  const { value } = outputs.connection as { value: object };
  outputs.connection = secret({ ...value, ...other });
  return { ...state, [urn]: { type: state[urn]?.type ?? "", outputs } };
}

const MAX_FILE = {
  step: "daemon",
  file: "/etc/docker/daemon.json",
  key: "log-opts.max-file",
  found: '"9"',
  declared: '"3"',
};

test("a network made without a gateway is declared without, until Docker tells of one", async () => {
  const state = stateOf(await run());
  const end = `docker:index/network:Network::${NODE}-development-secondary`;
  const urn = Object.keys(state).find((one) => one.endsWith(end)) ?? "";
  const declared = async (gateway: string): Promise<unknown> => {
    const pool = { subnet: "172.19.0.0/24", gateway, ipRange: "", auxAddress: {} };
    const network = { type: state[urn]?.type ?? "", outputs: { ipamConfigs: [pool] } };
    const recorder = await run({}, { ...state, [urn]: network });
    return recorder.find("docker:index/network:Network", `${NODE}-development-secondary`).inputs
      .ipamConfigs;
  };
  expect(await declared("")).toEqual([{ subnet: "172.19.0.0/24" }]);
  const told = "172.19.0.1";
  expect(await declared(told)).toEqual([{ subnet: "172.19.0.0/24", gateway: told }]);
});

test("ports of a workload keep the order that the state has, as long as they are the same", async () => {
  const both = ["tcp", "udp"].map((protocol) => ({ port: 53, containerPort: 53, protocol }));
  const dns = (ports: object[]): object => ({
    workloads: { dns: { image: IMAGE, networks: { "development-secondary": {} }, ports } },
  });
  const made = await run(dns(both));
  const end = `Container::${NODE}-workload-dns`;
  const portsOf = (recorder: Recorder): Record<string, unknown>[] =>
    recorder.find("docker:index/container:Container", `${NODE}-workload-dns`).inputs
      .ports as Record<string, unknown>[];
  const state = stateOf(made);
  const urn = Object.keys(state).find((one) => one.endsWith(end)) ?? "";
  const { type = "", outputs } = state[urn] ?? {};
  const reversed = portsOf(made).toReversed();
  const refreshed = { ...state, [urn]: { type, outputs: { ...outputs, ports: reversed } } };
  expect(portsOf(made).map(({ protocol }) => protocol)).toEqual(["tcp", "udp"]);
  expect(portsOf(await run(dns(both), refreshed))).toEqual(reversed);
  const more = [...both, { port: 80, containerPort: 80 }];
  expect(portsOf(await run(dns(more), refreshed)).slice(0, 2)).toEqual(portsOf(made));
});

test("the pools of a network with IPv6 are told apart by their subnets, in whatever order the state has them", async () => {
  const over6 = { networks: { "development-secondary": { ipv6: { subnet: "fd25:28::/64" } } } };
  const state = stateOf(await run(over6));
  const end = `docker:index/network:Network::${NODE}-development-secondary`;
  const urn = Object.keys(state).find((one) => one.endsWith(end)) ?? "";
  const pools = [
    { subnet: "fd25:28::/64", gateway: "fd25:28::1", ipRange: "", auxAddress: {} },
    { subnet: "172.19.0.0/24", gateway: "", ipRange: "", auxAddress: {} },
  ];
  const network = { type: state[urn]?.type ?? "", outputs: { ipamConfigs: pools } };
  const { inputs } = (await run(over6, { ...state, [urn]: network })).find(
    "docker:index/network:Network",
    `${NODE}-development-secondary`,
  );
  expect(inputs).toMatchObject({ ipv6: true });
  expect(inputs.ipamConfigs).toEqual([
    { subnet: "172.19.0.0/24" },
    { subnet: "fd25:28::/64", gateway: "fd25:28::1" },
  ]);
});

test("a node with further NICs has a step for them, and keeps it when they are gone", async () => {
  const addresses = (recorder: Recorder): string | undefined =>
    recorder
      .all("command:remote:Command")
      .filter(({ name }) => name === `${NODE}-nics`)
      .map(({ inputs }) => /^ADDRESSES='(.*)'$/m.exec(String(inputs.stdin))?.[1])[0];
  const nics = [
    { bridge: "vmbr1", vlan: 30, address: "10.25.30.24/24" },
    { bridge: "vmbr1", vlan: 31, address: "10.25.31.24/24" },
  ];
  expect(addresses(await run())).toBeUndefined();
  const first = await run({ network: { nics } });
  expect(addresses(first)).toBe("10.25.30.24 10.25.31.24");
  expect(addresses(await run({}, stateOf(first)))).toBe("");
});

describe("a node that was changed by hand", () => {
  test("is not looked at before it exists", async () => {
    await run();
    expect(called()).toBe(false);
  });

  test("an unchanged node causes no change and no message", async () => {
    const first = await run();
    const second = await run({}, stateOf(first));
    expect(called()).toBe(true);
    expect(commands(second)).toEqual(commands(first));
    expect(warnings).toEqual([]);
  });

  test("is looked at by the host key it was learned with, read only, for a short time", async () => {
    await run({}, stateOf(await run()));
    const options = readFileSync(join(folder, "called"), "utf8");
    expect(options).toMatch(/^-o ConnectTimeout=10 /);
    expect(options).toContain(`KnownHostsCommand=/bin/echo %H ${HOST_KEY}`);
    expect(options).toMatch(/ubuntu@10\.25\.20\.24 sudo -n bash -s\n$/);
    expect(readFileSync(join(folder, "stdin"), "utf8")).toMatch(/^MODE=check\n/);
  });

  test("so is a workload, and the step that repairs it runs again, secrets and all", async () => {
    const web = { image: IMAGE, secrets: { db: "web-db" } };
    const secrets = { "docker-node:workloadSecret-web-db": "never-in-a-warning" };
    const workloads = { web, db: { image: IMAGE } };
    const first = await run({ workloads }, undefined, false, {}, secrets);
    const different = { file: "workload web", key: "state", found: "exited", declared: "running" };
    const steps = ["run", "limits", "secrets"].map((step) => `workload-web-${step}`);
    finds(...[...steps, "agent-limits"].map((step) => ({ ...different, step })));
    const second = await run({ workloads }, stateOf(first), false, {}, secrets);
    const again = second.resources.filter(({ inputs }) =>
      /\n# repairs [0-9a-f]{16}\n$/.test(textOf(inputs.stdin)),
    );
    expect(again.map(({ name }) => name).sort()).toEqual(
      ["agent-limits", ...steps].map((step) => `${NODE}-${step}`).sort(),
    );
    expect(warnings).toHaveLength(4);
    expect(warnings.join()).not.toContain("never-in-a-warning");
    const asked = readFileSync(join(folder, "stdin"), "utf8");
    for (const step of ["workload-db-run", ...steps]) expect(asked).toContain(`checked ${step} $?`);
  });

  test("so are monitoring and the secrets of backups: their steps alone run again, and no secret is told", async () => {
    const secrets = { "docker-node:backupToken": "never-in-a-warning" };
    const monitoring = { scrapers: ["10.25.10.13"], health: {} };
    const first = await run({ monitoring }, undefined, false, {}, secrets);
    const steps = ["backups-secrets", "monitoring-node"];
    const different = { key: "mode", found: "0755", declared: "0700" };
    finds(...steps.map((step) => ({ ...different, step, file: `/of/${step}` })));
    const second = await run({ monitoring }, stateOf(first), false, {}, secrets);
    const again = second.resources.filter(({ inputs }) =>
      /\n# repairs [0-9a-f]{16}\n$/.test(textOf(inputs.stdin)),
    );
    expect(again.map(({ name }) => name).sort()).toEqual(steps.map((step) => `${NODE}-${step}`));
    expect(warnings).toEqual(
      expect.arrayContaining(
        steps.map(
          (step) =>
            `${NODE}: /of/${step} mode: 0755 on the node, 0700 as declared; up puts it right`,
        ),
      ),
    );
    expect(warnings.join()).not.toContain("never-in-a-warning");
    const asked = readFileSync(join(folder, "stdin"), "utf8");
    for (const step of steps) expect(asked).toContain(`\nchecked ${step} $?\n`);
    expect(asked).toMatch(/^HEALTH='[0-9a-f]{64}'\nDRIFT='[0-9a-f]{64}'$/m);
  });

  test("so is every container of the program, the agent with the next secret too", async () => {
    const secrets = { "docker-node:agentSecretNext": "the-next-secret-of-the-agents" };
    const next = { portainer: { agent: { next: {} } } };
    const first = await run(next, undefined, false, {}, secrets);
    finds();
    await run(next, stateOf(first), false, {}, secrets);
    const asked = readFileSync(join(folder, "stdin"), "utf8");
    const limits = first.resources.filter(({ name }) => name.endsWith("-limits"));
    expect(limits).toHaveLength(5);
    for (const { name } of limits)
      expect(asked).toContain(`checked ${name.replace(`${NODE}-`, "")} $?`);
  });

  describe("the second agent, while the secret is rotated,", () => {
    const [next, beside] = [{ agent: { next: {} } }, "docker-node:agentSecretNext"];
    const [OLD, NEW] = ["the-old-secret-of-the-agents", "the-new-secret-of-the-agents"];
    const both = { [beside]: NEW };
    /** The next `up` after one with both agents. */
    const then = async (portainer: object, agentSecret: string): Promise<Recorder> => {
      const had = { ...both, "docker-node:agentSecret": OLD };
      const state = stateOf(await run({ portainer: next }, undefined, false, {}, had));
      const secrets = { ...both, "docker-node:agentSecret": agentSecret };
      return run({ portainer }, state, true, {}, secrets);
    };

    test("does not go in the up that changes the first one's, and no secret is told", async () => {
      const refused = await then({}, NEW).catch(String);
      expect(refused).toMatch(/proj-docker02\.portainer\.agent\.next: gone, and agentSecret has/);
      expect(refused).not.toMatch(/-secret-of-the-agents/);
    });

    test.each<[what: string, portainer: object, secret: string]>([
      ["stays when that changes", next, NEW],
      ["goes when that does not change", {}, OLD],
    ])("%s", async (_, portainer, agentSecret) => {
      const { resources } = await then(portainer, agentSecret);
      const has = resources.some(({ name }) => name === `${NODE}-next-agent-container`);
      expect(has).toBe(portainer === next);
    });
  });

  test("what differs is a warning, and its step alone runs again; a preview and the up after it agree", async () => {
    const first = await run();
    const state = stateOf(first);
    finds(MAX_FILE);
    const preview = await run({}, state, true);
    const up = await run({}, state);
    expect(token(up)).toMatch(/^[0-9a-f]{16}$/);
    expect(stdin(preview, "daemon")).toBe(stdin(up, "daemon"));
    expect(stdin(up, "daemon").startsWith(stdin(first, "daemon"))).toBe(true);
    for (const step of STEPS.filter((one) => one !== "daemon"))
      expect(commands(up)[step]).toEqual(commands(first)[step]);
    expect(warnings[0]).toBe(
      `${NODE}: /etc/docker/daemon.json log-opts.max-file: "9" on the node, "3" as declared; up puts it right`,
    );
    finds();
    const after = await run({}, stateOf(up));
    expect(commands(after)).toEqual(commands(up));
    finds(MAX_FILE);
    expect(token(await run({}, stateOf(after)))).not.toBe(token(up));
  });

  test("a difference that up does not repair is reported, and no step runs for it", async () => {
    const first = await run();
    finds({ ...MAX_FILE, file: "dockerd", left: "until dockerd starts again" });
    const second = await run({}, stateOf(first));
    expect(commands(second)).toEqual(commands(first));
    expect(warnings.join()).toMatch(/up leaves it until dockerd starts again$/);
  });

  test.each([
    [
      "unreachable",
      "ssh: connect to host 10.25.20.24 port 22: No route to host",
      /No route to host$/,
    ],
    [
      "another machine",
      "@@@\nHost key verification failed.",
      /the machine at 10\.25\.20\.24 has another host key than the one learned/,
    ],
  ])("%s: a warning with the reason, and nothing changes", async (_, stderr, said) => {
    const first = await run();
    says("status", "255");
    says("stderr", `${stderr}\n`);
    const second = await run({}, stateOf(first));
    expect(commands(second)).toEqual(commands(first));
    expect(warnings).toEqual([expect.stringMatching(said)]);
  });

  test("a firewall that nobody confirmed is loaded and confirmed again, until somebody has", async () => {
    const first = await run();
    const { [urnOf(stateOf(first), "-firewall-confirm")]: confirmed, ...state } = stateOf(first);
    expect(confirmed).toBeDefined();
    const second = await run({}, state);
    expect(warnings).toEqual([
      `${NODE}: nobody has confirmed its last firewall; up loads it again`,
    ]);
    expect(token(second, "firewall")).toMatch(/^[0-9a-f]{16}$/);
    expect(token(second, "firewall-confirm")).toBe(token(second, "firewall"));
    // Taken back once more: the state has the step of this run, and the confirmation of the first.
    const urn = urnOf(state, "-firewall");
    const again = await run(
      {},
      { ...stateOf(first), [urn]: stateOf(second)[urn] as State[string] },
    );
    expect(token(again, "firewall")).not.toBe(token(second, "firewall"));
    warnings = [];
    expect(commands(await run({}, stateOf(again)))).toEqual(commands(again));
    expect(warnings).toEqual([]);
  });

  test("a step that could not be checked is a warning with its reason", async () => {
    const first = await run();
    finds({ step: "access", failed: true });
    says("stderr", "docker-node: access: DOCKER_GROUP_MEMBERS: there is no user eve\n");
    await run({}, stateOf(first));
    expect(warnings).toEqual([
      `${NODE}: not checked for changes by hand: access: DOCKER_GROUP_MEMBERS: there is no user eve`,
    ]);
  });

  test("is looked at by every step that changes something on it", async () => {
    const override = withWeb();
    const steps = (await run(override))
      .all("command:remote:Command")
      .map(({ name }) => name.slice(`${NODE}-`.length));
    const looks = checkableSteps(prodNode(override)).map(({ step }) => step);
    const others = steps.filter((step) => !looks.includes(step));
    expect(others.filter((step) => !step.endsWith("-seal")).sort()).toEqual([
      "agent-certificate",
      "boot",
      "firewall-confirm",
      "ready",
    ]);
    expect(steps).toEqual(expect.arrayContaining(["sbom-web", "sbom-portainer_agent"]));
    expect(looks).toContain("agent-authority");
  });

  test("is not looked at when its machine is to be replaced, nor when the environment says so", async () => {
    const state = stateOf(await run());
    await run({ machine: { vmId: 2020 } }, state);
    process.env.DOCKER_NODE_DRIFT = "off";
    await run({}, state);
    expect(called()).toBe(false);
    process.env.DOCKER_NODE_DRIFT = "no";
    await expect(run({}, state)).rejects.toThrow(
      'DOCKER_NODE_DRIFT: "no"; allowed: off, or not set',
    );
  });
});

describe("a machine that was moved to another Proxmox node", () => {
  const MOVED = { "/cluster/resources?type=vm": [{ vmid: 2019, node: "pve02" }] };

  /** As after a refresh. */
  function refreshed(state: State): State {
    const urn = Object.keys(state).find((one) => one.endsWith(`::${NODE}-vm`)) ?? "";
    const { type = "", outputs } = state[urn] ?? {};
    return { ...state, [urn]: { type, outputs: { ...outputs, nodeName: "pve02" } } };
  }

  test("is refreshed first", async () => {
    await run({}, stateOf(await run()), true, MOVED);
    expect(warnings).toEqual([
      `${NODE}: VM 2019 is on pve02, and the stack's state says pve01: first run pulumi refresh --target '**::${NODE}-vm'`,
    ]);
  });

  test("goes on as the same one, and the key of the configuration follows", async () => {
    const state = refreshed(stateOf(await run()));
    await run({}, state, true, MOVED);
    expect(called()).toBe(true);
    expect(warnings.splice(0)).toEqual([
      `${NODE}: VM 2019 is on pve02, and machine.proxmoxNode is pve01: only Proxmox can move it; set pve02 there`,
    ]);
    await run({ machine: { proxmoxNode: "pve02" } }, state, true, MOVED);
    expect(warnings).toEqual([]);
  });

  describe("keeps the download of its image, which the lost Proxmox node could not delete", () => {
    const downloads = (recorder: Recorder): object[] =>
      recorder
        .all("proxmoxve:download/file:File")
        .map(({ name, inputs: { nodeName } }) => ({ name, nodeName }));
    const machine = { proxmoxNode: "pve02" };

    test("when the key of the configuration follows", async () => {
      const first = await run();
      expect(downloads(first)).toMatchObject([{ nodeName: "pve01" }]);
      const followed = await run({ machine }, refreshed(stateOf(first)));
      expect(downloads(followed)).toEqual(downloads(first));
    });

    test("and takes no other one that the stack has there already", async () => {
      const first = await run();
      const both = { ...stateOf(first), ...stateOf(await run({ machine })) };
      const followed = await run({ machine }, refreshed(both));
      expect(downloads(followed)).toMatchObject([{ nodeName: "pve02" }, { nodeName: "pve01" }]);
    });

    test("but another image is for the Proxmox node that is declared", async () => {
      const image = { ...prodNode().machine.image, fileName: "next.qcow2" };
      const state = refreshed(stateOf(await run()));
      const next = await run({ machine: { ...machine, image } }, state);
      expect(downloads(next)).toMatchObject([{ nodeName: "pve02" }]);
    });

    test("but a node that is declared for it has it alone", async () => {
      const image = { ...prodNode().machine.image, node: "pve03" };
      const next = await run({ machine: { ...machine, image } }, stateOf(await run()));
      expect(downloads(next)).toMatchObject([{ nodeName: "pve03" }]);
    });
  });

  test("has its firewall on the Proxmox node where it runs", async () => {
    const recorder = await run({ machine: { proxmoxNode: "pve02" } });
    for (const type of ["rulesLegacy:RulesLegacy", "optionsLegacy:OptionsLegacy"])
      expect(recorder.find(`proxmoxve:firewall/${type}`).inputs.nodeName).toBe("pve02");
  });

  test("is copied to where it came from: Proxmox has turned its replication round", async () => {
    const override = { machine: { replication: { target: "pve02" } } };
    const target = (recorder: Recorder): unknown =>
      recorder.find("proxmoxve:index/replication:Replication").inputs.target;
    const first = await run(override);
    expect(target(first)).toBe("pve02");
    expect(target(await run(override, stateOf(first)))).toBe("pve02");
    warnings = [];
    expect(target(await run(override, refreshed(stateOf(first)), true, MOVED))).toBe("pve01");
    expect(warnings.join()).toMatch(/; set pve02 there, and pve01 as replication\.target$/);
  });

  test("is not asked for where nothing is known", async () => {
    await run({}, undefined, true, MOVED);
    expect(warnings).toEqual([]);
  });

  test.each([
    ["no answer", new ClusterError(0, "no answer in time"), "no answer in time"],
    [
      "another shape",
      "nothing",
      /^the answer to GET \/cluster\/resources\?type=vm of Proxmox VE is not/,
    ],
  ])("is unknown where the cluster does not say: %s", async (_, answer, why) => {
    const silent = { "/cluster/resources?type=vm": answer };
    await run({}, stateOf(await run()), true, silent);
    expect(warnings).toHaveLength(1);
    const [before, after] = (warnings[0] ?? "").split(" runs: ");
    expect(before).toBe(`it is unknown on which Proxmox node the VM of ${NODE}`);
    expect(after).toMatch(why);
  });

  test("is no excuse for a mistake of the program", async () => {
    const state = stateOf(await run());
    const broken = { "/cluster/resources?type=vm": new TypeError("not a function") };
    await expect(run({}, state, true, broken)).rejects.toThrow("not a function");
  });
});

describe("a node that refuses the login", () => {
  const DENIED = "ubuntu@10.25.20.24: Permission denied (publickey).\n";

  /** As the last `up` gave it: another key, another user. */
  function given(state: State, from: RegExp, to: string): State {
    const urn = urnOf(state, "-access");
    const { type = "", outputs } = state[urn] ?? {};
    const stdin = String(outputs?.stdin).replace(from, to);
    return { ...state, [urn]: { type, outputs: { ...outputs, stdin } } };
  }

  const other = (state: State): State =>
    given(state, /AUTHORIZED_KEYS='.*'/, "AUTHORIZED_KEYS='ssh-ed25519 AAAAearlier'");

  test("by a key that it never got is a mistake of the configuration, before anything is declared", async () => {
    const state = other(stateOf(await run()));
    says("status", "255");
    says("stderr", DENIED);
    await expect(run({}, state)).rejects.toThrow(
      /^1 problem in the configuration; nothing was changed:\n {2}nodes\.proj-docker02\.ssh\.privateKeyFile: ".*"; allowed: a key whose public half the node has from an earlier up; the node refuses this one \(docs\/how-to\/change-a-node\.md#rotate-the-ssh-key says how\)$/,
    );
  });

  test("by a user whom it does not know is one as well", async () => {
    const state = stateOf(await run());
    says("status", "255");
    says("stderr", DENIED);
    await expect(run({ ssh: { user: "admin" } }, state)).rejects.toThrow(
      /\.ssh\.user: "admin"; allowed: ubuntu, or another user who can log in by this key/,
    );
  });

  test("is not found out by logging in, if nobody looks: what the last up gave counts", async () => {
    const state = other(stateOf(await run()));
    process.env.DOCKER_NODE_DRIFT = "off";
    const why = /since DOCKER_NODE_DRIFT is off \(/;
    const both = run({ ssh: { user: "admin" } }, state);
    await expect(both).rejects.toThrow(
      /^2 problems .*\n.*privateKeyFile: .*\n.*ssh\.user: "admin"/,
    );
    await expect(run({}, state)).rejects.toThrow(why);
    expect(called()).toBe(false);
  });

  test("one that is shared by several nodes is one problem", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `node-${index}`);
    const { nodes: own, ...rest } = prodWith({ ssh: key.ssh });
    const nodes = Object.fromEntries(
      names.map((name, index) => [
        name,
        merge(Object.values(own as object)[0], {
          machine: { vmId: 3000 + index },
          network: { address: `10.25.20.${50 + index}/24` },
        }),
      ]),
    );
    const up = async (override: object, state?: State): Promise<Recorder> => {
      const defaults = merge(rest.defaults, override);
      const config = mockConfig({ ...rest, defaults, nodes });
      const recorder = await startPulumi({ preview: false, state, cluster: {}, config });
      await runStack();
      await settle(recorder);
      return recorder;
    };
    const state = stateOf(await up({}));
    process.env.DOCKER_NODE_DRIFT = "off";
    await expect(up({ ssh: { user: "admin" } }, state)).rejects.toThrow(
      /^1 problem .*\n {2}nodes\.node-0\.ssh\.user: "admin" \(also in node-1, node-2, node-3, node-4, and 4 more\)/,
    );
  });

  test("is a warning where the configuration has not changed, or where the login works after all", async () => {
    const state = stateOf(await run());
    says("status", "255");
    says("stderr", DENIED);
    await run({}, state);
    expect(warnings).toEqual([expect.stringMatching(/Permission denied \(publickey\)\.$/)]);
    says("status", "0");
    says("stderr", "");
    warnings = [];
    await run({}, other(state));
    expect(warnings).toEqual([]);
  });
});

describe("a firewall that would let this program in no more", () => {
  const narrower = { network: { firewall: { managementNetworks: ["10.99.0.0/16"] } } };
  const from = (address: string): void => {
    finds({ connection: `${address} 5001 10.25.20.24 22` });
  };

  test.each([
    ["a preview", true],
    ["an up", false],
  ])("is a mistake of the configuration, before anything is declared: %s", async (_, preview) => {
    const state = stateOf(await run());
    from("10.25.10.5");
    const recorder = run(narrower, state, preview);
    await expect(recorder).rejects.toThrow(
      /^1 problem in the configuration; nothing was changed:\n {2}nodes\.proj-docker02\.network\.firewall\.managementNetworks: \["10\.99\.0\.0\/16"\]; allowed: networks of which one has 10\.25\.10\.5; this connection came to the node from 10\.25\.10\.5, and no rule would let in the next one$/,
    );
  });

  test("is one too where the node was too slow to be checked", async () => {
    const state = stateOf(await run());
    from("10.25.10.5");
    says("status", "1");
    await expect(run(narrower, state)).rejects.toThrow(/10\.25\.10\.5, and no rule would let in/);
  });

  test("is no matter where it lets this program in, where the node does not tell, and where nothing filters", async () => {
    const state = stateOf(await run());
    from("10.99.0.5");
    await run(narrower, state);
    finds();
    await run(narrower, state);
    from("10.25.10.5");
    await run({}, state);
    expect(warnings).toEqual([]);
  });

  test("cannot be seen before the node exists", async () => {
    from("10.25.10.5");
    await run(narrower);
    expect(called()).toBe(false);
  });
});

describe("the host key that was learned", () => {
  test("a connection as recorded stays as it is, that of an older program too", async () => {
    const state = withConnection(stateOf(await run()), { dialErrorLimit: -1 });
    expect(connection(await run({}, state))).toMatchObject({ dialErrorLimit: -1 });
    expect(connection(await run({}, state))).not.toHaveProperty("hostKey");
  });

  test.each<[string, object]>([
    ["user", { ssh: { user: "admin" } }],
    ["endpoint", { ssh: { endpoint: { host: "127.0.0.1", port: 2222 } } }],
    ["address", { network: { address: "10.25.20.25/24" } }],
    [
      "user, and datastore of a disk,",
      { ssh: { user: "admin" }, machine: { dockerDisk: { datastore: "ceph" } } },
    ],
  ])("another %s is connected to by the key learned before, and stays so", async (_, override) => {
    const before = await run();
    const changed = await run(override, stateOf(before));
    expect(connection(changed)).toMatchObject({ hostKey: HOST_KEY });
    expect(commands(await run(override, stateOf(changed))).ready).toEqual(commands(changed).ready);
  });

  test("another private key uses it too", async () => {
    const state = withConnection(stateOf(await run()), { privateKey: "the one before" });
    expect(connection(await run({}, state))).toMatchObject({
      hostKey: HOST_KEY,
      privateKey: expect.stringContaining("OPENSSH") as string,
    });
  });

  test("a declared key replaces it, and another machine starts without one", async () => {
    const state = stateOf(await run());
    const hostKey =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDeclaredKeyOfSomebody0000000000000000000000";
    expect(connection(await run({ ssh: { hostKey } }, state))).toMatchObject({ hostKey });
    const other = await run({ machine: { vmId: 2020 }, ssh: { user: "admin" } }, state);
    expect(connection(other)).not.toHaveProperty("hostKey");
  });
});

describe("a state that cannot be read", () => {
  /** As gRPC tells of it. */
  const failed = (): never => {
    throw Object.assign(new Error(), { details: "no passphrase" });
  };
  const other = { ssh: { user: "admin" } };

  test("refuses up: a node that is known may not be taken for a new one, whose host key nobody knows", async () => {
    const state = stateOf(await run());
    jest.spyOn(Recorder.prototype, "call").mockImplementation(failed);
    const refused = await run(other, state).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(pulumi.RunError);
    expect(String(refused)).toMatch(
      /state cannot be read \(.*no passphrase.*\).* no host key is known; nothing was changed\. Run `pulumi stack export`/,
    );
  });

  test("is a warning in a preview, which shows each node as new", async () => {
    const state = stateOf(await run());
    jest.spyOn(Recorder.prototype, "call").mockImplementation(failed);
    const { resources } = await run(other, state, true);
    expect(resources.map(({ name }) => name)).toContain(`${NODE}-ready`);
    expect(warnings[0]).toMatch(/no passphrase.*so nodes count as new; up is refused until it can/);
  });
});
