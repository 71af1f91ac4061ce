import { execFileSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { createServer } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { loadSettings, merge, type Settings } from "../../config/load";
import { checksFor, examine } from "../../commands/doctor/checks";
import { carries } from "../../commands/doctor/checks/bridges";
import { listRequirements } from "../../commands/doctor/privileges";
import { ClusterError, type Cluster } from "../../clients/proxmox";
import type { Probe } from "../../clients/network";
import type { Ran, Run } from "../../clients/process";
import type { Context, Finding } from "../../commands/doctor/types";
import { createPortainer } from "../../lab/services/portainer/server";
import { close, listen, selfSigned } from "../support/portainer";
import { prodNode, prodWith, waived, waiver } from "../support/settings";

/*
 * Every check against a workstation and a cluster that are right in everything, and then wrong in one
 * thing. `changed` describes what is wrong.
 */

const GIB = 1024 ** 3;
const SECRET = "0123456789abcdef-agent";
const TOKEN = "automation@pve!pulumi=11111111-2222-3333-4444-555555555555";

let scratch: string;
let keyFile: string;
let publicKey: string;

beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), "doctor-"));
  keyFile = path.join(scratch, "key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", keyFile]);
  publicKey = fs.readFileSync(`${keyFile}.pub`, "utf8").trim();
});

afterAll(() => {
  fs.rmSync(scratch, { recursive: true, force: true });
});

function settingsWith(override: Record<string, unknown> = {}): Settings {
  const ssh = { publicKeys: [publicKey], privateKeyFile: keyFile };
  return loadSettings(waived(prodWith({ ssh, ...override })));
}

interface Plugin {
  name: string;
  kind: string;
  version: string;
}

const PLUGINS: Plugin[] = [
  { name: "proxmoxve", kind: "resource", version: "8.6.0" },
  { name: "docker", kind: "resource", version: "5.2.0" },
  { name: "command", kind: "resource", version: "1.2.1" },
];

const said = (stdout: string): Ran => ({ code: 0, stdout, stderr: "" });
const MISSING: Ran = { code: undefined, stdout: "", stderr: "" };

const SSH = "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15 3 Sep 2024";

/** The workstation's programs; ssh-keygen is the real one. */
function programs(plugins: Plugin[] = PLUGINS, version = "v3.248.0"): Run {
  return (command, args) => {
    if (command === "trivy") return Promise.resolve(said("Version: 0.74.0\n"));
    if (command === "ssh-keygen") return Promise.resolve(keygen(args));
    if (command === "ssh") return Promise.resolve({ ...said(""), stderr: `${SSH}\n` });
    return Promise.resolve(said(args[0] === "version" ? `${version}\n` : JSON.stringify(plugins)));
  };
}

function keygen(args: readonly string[]): Ran {
  try {
    return said(execFileSync("ssh-keygen", args, { stdio: "pipe" }).toString());
  } catch {
    return { code: 1, stdout: "", stderr: "" };
  }
}

/** What a cluster answers, by path; an error is thrown. */
type Answers = Record<string, unknown>;

function answers(settings: Settings): Answers {
  const held: Answers = {};
  for (const { path: at, privilege } of listRequirements(Object.entries(settings.nodes))) {
    const key = `/access/permissions?path=${encodeURIComponent(at)}`;
    const before = (held[key] as Record<string, Record<string, number>> | undefined)?.[at];
    held[key] = { [at]: { ...before, [privilege]: 1 } };
  }
  return {
    ...held,
    "/version": { version: "9.1.2" },
    "/cluster/firewall/options": { enable: 1 },
    "/nodes": [{ node: "pve01", status: "online" }],
    "/cluster/nextid?vmid=2019": 2019,
    "/cluster/resources?type=vm": [{ vmid: 2014, name: "proj-docker01", node: "pve01" }],
    "/nodes/pve01/network": [
      { iface: "vmbr0", type: "bridge", bridge_vlan_aware: 1, bridge_vids: "2-4094" },
    ],
    "/nodes/pve01/storage": [
      { storage: "local", type: "dir", content: "iso,import", active: 1, avail: 200 * GIB },
      { storage: "nvme-pool", type: "zfspool", content: "images", active: 1, avail: 900 * GIB },
      { storage: "pbs01", type: "pbs", content: "backup", active: 1 },
    ],
  };
}

function clusterOf(known: Answers): Cluster {
  return {
    get: (asked) => {
      const answer = known[asked];
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer === undefined) return Promise.reject(new Error(`not prepared: ${asked}`));
      return Promise.resolve(answer);
    },
  };
}

/** Only what this machine itself listens on may ever be asked. */
const nobody: Probe = (host) => Promise.resolve(host === "10.25.10.11" ? "open" : "silent");

/** Names of the secrets that are set. */
const SECRETS_SET = [
  ...["proxmoxApiToken", "agentSecret", "backupToken", "backupKey", "pbsStorageToken"],
];

function healthy(change: { settings?: Settings; answers?: Answers } = {}): Context {
  const settings = change.settings ?? settingsWith();
  return {
    stack: "prod",
    nodeVersion: "20.11.0",
    environment: {},
    manifest: {
      engines: { node: ">=20 <25" },
      dependencies: {
        "@muhlba91/pulumi-proxmoxve": "8.6.0",
        "@pulumi/docker": "5.2.0",
        "@pulumi/command": "1.2.1",
      },
    },
    configuration: {
      settings,
      problems: [],
      apiToken: TOKEN,
      texts: { agentSecret: SECRET },
      keys: SECRETS_SET,
      secrets: [TOKEN, SECRET],
    },
    managed: new Set(),
    cluster: clusterOf({ ...answers(settings), ...change.answers }),
    run: programs(),
    probe: nobody,
    now: new Date("2026-11-27T12:00:00Z"),
    patience: 500,
  };
}

/** The finding of one check; ids may be given without what follows their colon. */
async function find(context: Context, id: string): Promise<Finding> {
  const checks = checksFor(context).filter((one) => one.id === id || one.id.startsWith(`${id}:`));
  if (checks.length !== 1) throw new Error(`${checks.length} checks called ${id}`);
  const [result] = await examine(context, checks);
  if (!result) throw new Error("no result");
  return result;
}

test("a waiver that ends within thirty days is a warning; an invalid configuration skips the check", async () => {
  const engine = { daemon: { icc: true } };
  const NOW = new Date("2026-11-27T12:00:00Z");
  const ending = async (expires: string): Promise<Finding> => {
    const ssh = { publicKeys: [publicKey], privateKeyFile: keyFile };
    const raw = { ...prodWith({ ssh, engine }), waivers: [waiver("daemon-icc", { expires })] };
    return find(healthy({ settings: loadSettings(raw, undefined, NOW) }), "waivers");
  };
  expect(await ending("2027-05-31")).toMatchObject({ status: "pass", detail: "1, none ends soon" });
  expect(await ending("2026-12-01")).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(/^waiver of daemon-icc for all ends in 4 days/) as unknown,
    fix: "edit docker-node:waivers in Pulumi.prod.yaml",
  });
  expect(await find(healthy(), "waivers")).toMatchObject({ status: "pass", detail: "none" });
  const unsound = { ...healthy(), configuration: { problems: ["x"], secrets: [] } };
  expect(await find(unsound, "waivers")).toMatchObject({ status: "skip" });
});

test("everything right passes, without the services that answer elsewhere", async () => {
  const context = healthy();
  const results = await examine(
    context,
    checksFor(context).filter(({ id }) => !/^(image|retention):/.test(id)),
  );
  expect(results.filter(({ status }) => status !== "pass")).toEqual([]);
  expect(results.map(({ id }) => id.replace(keyFile, "KEY"))).toEqual([
    "node",
    "pulumi",
    "plugin-proxmoxve",
    "plugin-docker",
    "plugin-command",
    "ssh",
    "ssh-agent",
    "scanner:trivy",
    "configuration",
    "waivers",
    "secrets",
    "ssh-key:KEY",
    "api",
    "version",
    "privileges",
    "firewall",
    "datastore:pve01/local",
    "datastore:pve01/nvme-pool",
    "backup:pve01",
    "host:proj-docker02",
    "vm-id:proj-docker02",
    "vm-name:proj-docker02",
    "address:proj-docker02",
    "bridge:proj-docker02",
    "portainer:10.25.10.11",
  ]);
});

describe("the workstation", () => {
  test.each(["18.19.0", "25.0.0"])("Node %s is out of range", async (nodeVersion) => {
    expect(await find({ ...healthy(), nodeVersion }, "node")).toMatchObject({
      status: "fail",
      fix: "nvm install 22 && nvm use 22",
    });
  });

  test("no Pulumi, or an old one", async () => {
    for (const version of [undefined, "v3.199.0"]) {
      const run = version
        ? programs(PLUGINS, version)
        : (): Promise<Ran> => Promise.resolve(MISSING);
      expect(await find({ ...healthy(), run }, "pulumi")).toMatchObject({ status: "fail" });
    }
    const run = (): Promise<Ran> => Promise.resolve(MISSING);
    expect(await find({ ...healthy(), run }, "plugin-docker")).toMatchObject({ status: "skip" });
  });

  test.each([
    ["OpenSSH_8.0p1, OpenSSL 1.1.1k", /^8\.0 is older than 8\.5/],
    ["Sun_SSH_1.5", /^OpenSSH is not/],
  ])("%s does not do", async (stderr, detail) => {
    const run: Run = (command, args) =>
      command === "ssh" ? Promise.resolve({ ...said(""), stderr }) : programs()(command, args);
    const found = await find({ ...healthy(), run }, "ssh");
    expect(found).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(detail) as unknown,
    });
  });

  test.each([
    ["fail", MISSING, "trivy is not Trivy, or not here"],
    ["warn", MISSING, "trivy is not Trivy, or not here"],
    ["fail", said("Version: 0.67.2\n"), "0.67.2 is older than 0.68"],
    ["pass", said("Version: 0.68.1\nVulnerability DB:\n"), "0.68.1"],
    ["pass", said("Version: dev\n"), "dev"],
  ])("a scanner of images that `up` would miss: %s", async (status, answer, detail) => {
    const whenUnavailable = status === "warn" ? "warn" : "fail";
    const settings = settingsWith({ images: { scan: { whenUnavailable } } });
    const run: Run = (command, args) =>
      command === "trivy" ? Promise.resolve(answer) : programs()(command, args);
    expect(await find({ ...healthy({ settings }), run }, "scanner")).toMatchObject({
      status,
      detail,
    });
  });

  test("an ssh-agent that is gone is found, one that answers or none is fine", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "docker-node-agent-"));
    const socket = path.join(folder, "agent.1");
    const status = async (): Promise<Finding> =>
      find({ ...healthy(), environment: { SSH_AUTH_SOCK: socket } }, "ssh-agent");
    try {
      expect(await status()).toMatchObject({
        status: "fail",
        detail: expect.stringContaining(`names ${socket}, which does not answer: `) as unknown,
        fix: "unset SSH_AUTH_SOCK",
      });
      const server = createServer().listen(socket);
      await once(server, "listening");
      expect(await status()).toMatchObject({ status: "pass" });
      server.close();
      expect(await find(healthy(), "ssh-agent")).toMatchObject({ status: "pass" });
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test("a plugin of another version is named with the command that installs the right one", async () => {
    const run = programs([{ name: "proxmoxve", kind: "resource", version: "8.3.0" }]);
    const found = await find({ ...healthy(), run }, "plugin-proxmoxve");
    expect(found).toEqual(
      expect.objectContaining({
        status: "warn",
        detail: "8.6.0 is not installed (installed: 8.3.0); the first up downloads it",
        fix: "pulumi plugin install resource proxmoxve 8.6.0 --server github://api.github.com/muhlba91/pulumi-proxmoxve",
      }),
    );
    const environment = { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" };
    expect(await find({ ...healthy(), run, environment }, "plugin-docker")).toMatchObject({
      status: "fail",
      fix: "pulumi plugin install resource docker 5.2.0",
    });
  });
});

describe("the configuration", () => {
  const broken = (configuration: Partial<Context["configuration"]>): Context => {
    const context = healthy();
    return { ...context, configuration: { ...context.configuration, ...configuration } };
  };

  test("every problem is shown", async () => {
    const problems = [
      "nodes.a.machine.vmId: 3; allowed: at least 100",
      "nodes.a.x: 1; allowed: no",
    ];
    const found = await find(broken({ settings: undefined, problems }), "configuration");
    expect(found.status).toBe("fail");
    expect(found.detail).toBe(`2 problems:\n${problems.join("\n")}`);
  });

  test.each([
    ["no stack named 'prod' found", "pulumi stack init prod"],
    ["passphrase must be set", "export PULUMI_CONFIG_PASSPHRASE_FILE=<file with the passphrase>"],
    ["the Pulumi CLI is missing", "curl -fsSL https://get.pulumi.com | sh"],
    ["unauthorized", "pulumi login"],
  ])("secrets that cannot be read: %s", async (sealed, fix) => {
    expect(await find(broken({ sealed }), "secrets")).toMatchObject({ status: "fail", fix });
  });

  const keysWithout = (...names: string[]): string[] =>
    SECRETS_SET.filter((name) => !names.includes(name));

  test.each([
    [{ keys: keysWithout("proxmoxApiToken") }, "proxmoxApiToken is not set"],
    [
      { apiToken: "root@pam:hunter2" },
      "proxmoxApiToken does not have the form user@realm!token=uuid",
    ],
    [{ keys: keysWithout("agentSecret") }, "agentSecret is not set"],
    [{ texts: { agentSecret: "short" } }, "agentSecret is shorter than 16 characters"],
    [{ keys: keysWithout("backupToken") }, "backupToken is not set"],
    [
      { keys: [...keysWithout("backupToken", "backupKey"), "backupToken-proj-docker02"] },
      "backupKey is not set",
    ],
    [{ keys: keysWithout("pbsStorageToken") }, "pbsStorageToken is not set"],
  ])("%p", async (configuration, detail) => {
    const found = await find(broken(configuration), "secrets");
    expect(found).toMatchObject({ status: "fail", detail });
    expect(found.fix).toMatch(/^pulumi config set --secret \w+ '.*' --stack prod$/);
  });

  test("a next secret of the agents that is too short, as up would say", async () => {
    const { nodes } = loadSettings(prodWith({ portainer: { agent: { next: {} } } }));
    const { settings, keys = [] } = healthy().configuration;
    const next = {
      settings: settings && { ...settings, nodes },
      keys: [...keys, "agentSecretNext"],
      texts: { agentSecret: SECRET, agentSecretNext: "short" },
    };
    expect(await find(broken(next), "secrets")).toMatchObject({
      status: "fail",
      detail: "agentSecretNext is shorter than 16 characters",
      fix: "pulumi config set --secret agentSecretNext '<new AGENT_SECRET of the Portainer server>' --stack prod",
    });
  });

  test("an empty passphrase is no protection", async () => {
    const environment = { PULUMI_CONFIG_PASSPHRASE: "" };
    expect(await find({ ...healthy(), environment }, "secrets")).toMatchObject({ status: "warn" });
  });
});

describe("the SSH key", () => {
  const withKey = (file: string, publicKeys = [publicKey]): Context =>
    healthy({ settings: settingsWith({ ssh: { privateKeyFile: file, publicKeys } }) });

  test("missing", async () => {
    const file = path.join(scratch, "none");
    expect(await find(withKey(file), "ssh-key")).toMatchObject({
      status: "fail",
      fix: `ssh-keygen -t ed25519 -f ${file}`,
    });
  });

  test("readable by others", async () => {
    const file = path.join(scratch, "open");
    fs.copyFileSync(keyFile, file);
    fs.chmodSync(file, 0o644);
    const found = await find(withKey(file), "ssh-key");
    expect(found).toMatchObject({ status: "fail", fix: `chmod 600 ${file}` });
    expect(found.detail).toContain("644");
  });

  test("with a passphrase, or no key at all", async () => {
    const locked = path.join(scratch, "locked");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "passphrase", "-f", locked]);
    const junk = path.join(scratch, "junk");
    fs.writeFileSync(junk, "junk", { mode: 0o600 });
    for (const file of [locked, junk])
      expect((await find(withKey(file), "ssh-key")).detail).toContain("without passphrase");
  });

  test("not among the public keys, or without the program to tell", async () => {
    const other =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJj+VxKV8xLBPJHyXJLlH+/ge3udeQ/DUUXouMhOoBFG x";
    const found = await find(withKey(keyFile, [other]), "ssh-key");
    const [kind, key] = publicKey.split(" ");
    expect(found).toMatchObject({
      status: "fail",
      fix: `add to ssh.publicKeys: ${kind ?? ""} ${key ?? ""}`,
    });
    const run = (): Promise<Ran> => Promise.resolve(MISSING);
    expect(await find({ ...withKey(keyFile), run }, "ssh-key")).toMatchObject({ status: "skip" });
  });
});

describe("the cluster", () => {
  const answering = (known: Answers): Context => healthy({ answers: known });
  const silent = new ClusterError(0, "connect ECONNREFUSED", "ECONNREFUSED");

  test("without configuration or token there is nothing to ask", async () => {
    const { cluster, ...context } = healthy();
    expect(cluster).toBeDefined();
    expect(await find(context, "api")).toMatchObject({ status: "skip" });
  });

  test.each([
    [silent, "curl -kI https://pve01.example.org:8006/api2/json/version"],
    [new ClusterError(401, "no ticket"), "pulumi config set --secret proxmoxApiToken"],
    [
      new ClusterError(0, "self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"),
      "scp root@pve01.example.org:/etc/pve/pve-root-ca.pem",
    ],
  ])("%s", async (error, fix) => {
    const context = answering({ "/version": error });
    const found = await find(context, "api");
    expect(found).toMatchObject({ status: "fail", fix: expect.stringContaining(fix) as unknown });
    expect(await find(context, "version")).toMatchObject({ status: "skip" });
  });

  test("8.3 cannot download a disk image, 8.4 can", async () => {
    const release = (version: string): Promise<Finding> =>
      find(answering({ "/version": { version } }), "version");
    expect(await release("8.3.5")).toMatchObject({ status: "fail" });
    expect(await release("8.4.0")).toMatchObject({ status: "pass" });
  });

  test.each([{ highAvailability: { nodes: { pve01: 2 } } }, { replication: { target: "pve02" } }])(
    "8.4 cannot keep a VM by %j, 9.0 can",
    async (machine) => {
      const settings = settingsWith({ machine });
      const release = (version: string): Promise<Finding> =>
        find(healthy({ settings, answers: { "/version": { version } } }), "version");
      expect(await release("8.4.1")).toMatchObject({
        status: "fail",
        detail: expect.stringMatching(/^8\.4\.1; machine\.\w+.* needs 9\.0 or later$/) as string,
      });
      expect(await release("9.0.3")).toMatchObject({ status: "pass" });
    },
  );

  test("firewall rules that Proxmox does not enforce are a failure; without an option the firewall is off", async () => {
    const firewall = (options: unknown, settings?: Settings): Promise<Finding> =>
      find(healthy({ settings, answers: { "/cluster/firewall/options": options } }), "firewall");
    expect(await firewall({ enable: 1 })).toMatchObject({ status: "pass", detail: "on" });
    for (const options of [{}, { enable: 0 }, { enable: "0", policy_in: "DROP" }])
      expect(await firewall(options)).toMatchObject({
        status: "fail",
        detail: "off, so Proxmox enforces no firewall rule of proj-docker02",
        fix: expect.stringContaining("pvesh set /cluster/firewall/options --enable 1") as unknown,
      });
    expect(await firewall(new ClusterError(403, "Permission check failed"))).toMatchObject({
      status: "skip",
      detail: "the API gives no answer: Permission check failed",
    });
    const ssh = { publicKeys: [publicKey], privateKeyFile: keyFile };
    const open = loadSettings(waived(prodWith({ ssh, network: { firewall: { enabled: false } } })));
    expect(await firewall({}, open)).toMatchObject({ status: "skip" });
    expect(
      listRequirements(Object.entries(open.nodes)).map(({ reason }) => reason),
    ).not.toContainEqual(expect.stringContaining("firewall of the datacenter"));
  });

  test("each missing privilege is named with path and reason", async () => {
    const context = answering({
      "/access/permissions?path=%2Fnodes%2Fpve01": {},
      "/access/permissions?path=%2F": { "/": { "Sys.Audit": 1 } },
    });
    const found = await find(context, "privileges");
    expect(found.status).toBe("fail");
    expect(found.detail.split("\n")).toEqual([
      expect.stringMatching(/^2 of \d+ missing:$/),
      expect.stringMatching(/^\/nodes\/pve01 Sys\.AccessNetwork: \w/),
      expect.stringMatching(/^\/ Sys\.Modify: \w/),
    ]);
    expect(found.fix).toContain("--print-role --stack prod");
  });
});

describe("a datastore", () => {
  const stores = (change: (store: Record<string, unknown>) => Record<string, unknown>): Context => {
    const all = answers(settingsWith())["/nodes/pve01/storage"] as Record<string, unknown>[];
    return healthy({ answers: { "/nodes/pve01/storage": all.map(change) } });
  };
  const nvme = (change: Record<string, unknown>): Context =>
    stores((store) => (store.storage === "nvme-pool" ? { ...store, ...change } : store));
  const id = "datastore:pve01/nvme-pool";

  test("missing, not active, or without the content type", async () => {
    expect(await find(nvme({ storage: "other" }), id)).toMatchObject({ status: "fail" });
    expect(await find(nvme({ active: 0 }), id)).toMatchObject({
      status: "fail",
      fix: "pvesm set nvme-pool --disable 0",
    });
    expect(await find(nvme({ content: "rootdir" }), id)).toMatchObject({
      status: "fail",
      fix: "pvesm set nvme-pool --content rootdir,images",
    });
    const local = stores((store) =>
      store.storage === "local" ? { ...store, content: "iso,vztmpl" } : store,
    );
    expect(await find(local, "datastore:pve01/local")).toMatchObject({
      status: "fail",
      fix: "pvesm set local --content iso,vztmpl,import",
    });
  });

  test("too small: a warning where volumes grow, a failure where they do not", async () => {
    const avail = 131 * GIB;
    expect(await find(nvme({ avail }), id)).toMatchObject({ status: "warn" });
    expect(await find(nvme({ avail, type: "lvm" }), id)).toMatchObject({
      status: "fail",
      detail: "131 GiB free, 132 GiB needed",
    });
  });

  test.each(["lvm", "cifs"])("of type %s, where io_uring may hang", async (type) => {
    const found = {
      "/nodes/pve01/storage": await nvme({ type }).cluster?.get("/nodes/pve01/storage"),
    };
    const asked = async (machine: object): Promise<Finding> =>
      find(healthy({ settings: settingsWith({ machine }), answers: found }), id);
    const native = { aio: "native" };
    expect(await asked({ disk: native })).toMatchObject({
      status: "warn",
      detail: `with io_uring a disk may hang on a datastore of type ${type}`,
      fix: "set machine.dockerDisk.aio to native",
    });
    expect(await asked({ disk: native, dockerDisk: native })).toMatchObject({ status: "pass" });
    expect(await asked({ adopt: true, image: null })).toMatchObject({ status: "pass" });
  });

  test("too small does not matter if the VM exists already", async () => {
    const context = nvme({ avail: GIB });
    const cluster = clusterOf({
      ...answers(settingsWith()),
      "/nodes/pve01/storage": await context.cluster?.get("/nodes/pve01/storage"),
      "/cluster/resources?type=vm": [{ vmid: 2019, name: "proj-docker02" }],
    });
    expect(await find({ ...context, cluster }, id)).toMatchObject({ status: "pass" });
  });

  test("the backup server's: absent, or down", async () => {
    const without = stores((store) => ({ ...store, type: "dir" }));
    expect(await find(without, "backup")).toMatchObject({ status: "skip" });
    const down = stores((store) => (store.type === "pbs" ? { ...store, active: 0 } : store));
    expect(await find(down, "backup")).toMatchObject({ status: "warn" });
  });
});

describe("a machine", () => {
  const TAKEN: Answers = {
    "/cluster/nextid?vmid=2019": new ClusterError(400, "VM 2019 already exists"),
    "/cluster/resources?type=vm": [{ vmid: 2019, name: "something", node: "pve01" }],
  };
  const adopting = (): Settings =>
    settingsWith({
      machine: { adopt: true },
      ssh: { publicKeys: [publicKey], privateKeyFile: keyFile },
    });

  test("on a Proxmox node that is not there, or down", async () => {
    const nodes = (list: unknown[]): Context => healthy({ answers: { "/nodes": list } });
    expect(await find(nodes([{ node: "pve02", status: "online" }]), "host")).toMatchObject({
      status: "fail",
      detail: "no pve01 in the cluster; it has pve02",
    });
    expect(await find(nodes([{ node: "pve01", status: "offline" }]), "host")).toMatchObject({
      status: "fail",
    });
  });

  test("whose id another VM has", async () => {
    const found = await find(healthy({ answers: TAKEN }), "vm-id");
    expect(found).toMatchObject({
      status: "fail",
      detail: "2019 is taken by another VM (something)",
    });
    expect(found.fix).toContain(".machine.adopt' true --stack prod");
  });

  test("whose id is taken by what the token may not see", async () => {
    const known = { ...TAKEN, "/cluster/resources?type=vm": [] };
    expect((await find(healthy({ answers: known }), "vm-id")).detail).toContain(
      "the token may not see it",
    );
  });

  test("that is the stack's own, is adopted, or is gone", async () => {
    const own = { ...healthy({ answers: TAKEN }), managed: new Set([2019]) };
    expect(await find(own, "vm-id")).toMatchObject({ status: "pass" });
    expect(await find(own, "address")).toMatchObject({ status: "skip" });
    const adopted = healthy({ settings: adopting(), answers: TAKEN });
    expect(await find(adopted, "vm-id")).toMatchObject({
      status: "pass",
      detail: "2019 (something) exists and will be adopted",
    });
    expect(await find(healthy({ settings: adopting() }), "vm-id")).toMatchObject({
      status: "fail",
      detail: "there is no VM 2019 to adopt",
    });
    const gone = { ...healthy(), managed: new Set([2019]) };
    expect(await find(gone, "vm-id")).toMatchObject({ status: "warn", fix: "pulumi refresh" });
  });

  test("that was moved to another Proxmox node, which is asked for its bridge", async () => {
    const elsewhere = {
      "/cluster/resources?type=vm": [{ vmid: 2019, name: "proj-docker02", node: "pve02" }],
      "/nodes/pve02/network": [],
    };
    const context = healthy({ answers: elsewhere });
    const own = { ...context, managed: new Set([2019]) };
    expect(await find(own, "host")).toMatchObject({
      status: "warn",
      detail: "VM 2019 is on pve02, and machine.proxmoxNode is pve01: only Proxmox can move it",
      fix: "pulumi refresh --stack prod --target '**::proj-docker02-vm'  # then set machine.proxmoxNode to pve02",
    });
    expect((await find(own, "bridge")).detail).toMatch(/^no vmbr0 on pve02/);
    expect(await find(context, "host")).toMatchObject({ status: "pass" });
  });

  test("whose name another guest has", async () => {
    const known = {
      "/cluster/resources?type=vm": [{ vmid: 7, name: "proj-docker02", node: "pve03" }],
    };
    expect(await find(healthy({ answers: known }), "vm-name")).toMatchObject({ status: "warn" });
  });

  test.each(["open", "refused"] as const)("whose address is in use: %s", async (outcome) => {
    const probe: Probe = () => Promise.resolve(outcome);
    expect(await find({ ...healthy(), probe }, "address")).toMatchObject({
      status: "fail",
      detail: "something answers at 10.25.20.24 already",
    });
  });

  test("one of whose further addresses is in use", async () => {
    const settings = settingsWith({
      network: {
        ipv6: { address: "fd25:20::24/64" },
        nics: [{ bridge: "vmbr0", vlan: 30, address: "10.25.30.24/24" }],
      },
    });
    const found = async (used: string): Promise<string> => {
      const probe: Probe = (host) => Promise.resolve(host === used ? "open" : "silent");
      return (await find({ ...healthy({ settings }), probe }, "address")).detail;
    };
    expect(await found("fd25:20::24")).toBe("something answers at fd25:20::24 already");
    expect(await found("10.25.30.24")).toBe("something answers at 10.25.30.24 already");
    expect(await found("10.25.99.1")).toBe(
      "nothing answers at 10.25.20.24, fd25:20::24, 10.25.30.24",
    );
  });

  test("reached by another address", async () => {
    const endpoint = { host: "127.0.0.1", port: 2222 };
    const ssh = { publicKeys: [publicKey], privateKeyFile: keyFile, endpoint };
    const context = healthy({ settings: settingsWith({ ssh }) });
    expect(await find(context, "address")).toMatchObject({ status: "skip" });
  });

  test.each([
    [[], "fail"],
    [[{ iface: "vmbr0", type: "bridge" }], "warn"],
    [[{ iface: "vmbr0", type: "bridge", bridge_vlan_aware: 1, bridge_vids: "30-40" }], "fail"],
    [[{ iface: "vmbr0", type: "bridge", bridge_vlan_aware: 1 }], "pass"],
    [[{ iface: "vmbr0", type: "OVSBridge" }], "pass"],
  ])("on bridge %j: %s", async (network, status) => {
    const context = healthy({ answers: { "/nodes/pve01/network": network } });
    expect(await find(context, "bridge")).toMatchObject({ status });
  });

  test("a shared datastore that gets one image from two Proxmox nodes", async () => {
    const { proxmox, defaults } = prodWith({
      ssh: { publicKeys: [publicKey], privateKeyFile: keyFile },
    });
    const one = { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } };
    const other = { machine: { proxmoxNode: "pve02" } };
    const found = async (more: object): Promise<string> => {
      const all = {
        proxmox,
        defaults: merge(defaults, more),
        nodes: { one, "proj-docker02": other },
      };
      const settings = loadSettings(all);
      const stores = ["local", "nvme-pool"].map((storage) => ({
        ...{ storage, type: "dir", content: "images,import", active: 1, shared: 1 },
      }));
      const network = { "/nodes/pve01/storage": stores, "/nodes/pve02/storage": stores };
      return (await find(healthy({ settings, answers: network }), "datastore:pve01/local")).detail;
    };
    expect(await found({})).toBe(
      "several Proxmox nodes share it, and more than one downloads ubuntu-24.04-20260814.qcow2: the second is refused",
    );
    expect(
      await found({ machine: { image: { ...prodNode().machine.image, node: "pve01" } } }),
    ).toMatch(/^has import/);
  });

  test.each([
    [{ bridge_vlan_aware: 0 }, "fail", "cannot start a VM that has trunks on it (VLAN 30)"],
    [{ bridge_vlan_aware: 1, bridge_vids: "20" }, "fail", "does not carry VLAN 30"],
    [{ bridge_vlan_aware: 1, bridge_vids: "20 30" }, "pass", "carries VLAN 20, 30"],
  ])("with a macvlan on VLAN 30, on bridge %j: %s", async (more, status, detail) => {
    const lan = { driver: "macvlan", parent: "eth0", vlan: 30, subnet: "10.25.30.0/24" };
    const settings = settingsWith({ networks: { lan: { ...lan, gateway: "10.25.30.1" } } });
    const network = [{ iface: "vmbr0", type: "bridge", ...more }];
    const context = healthy({ settings, answers: { "/nodes/pve01/network": network } });
    expect(await find(context, "bridge")).toMatchObject({
      status,
      detail: expect.stringContaining(detail) as unknown,
    });
  });

  test.each([
    [[], "fail", "no vmbr1 on pve01, or the token may not use it"],
    [
      [{ iface: "vmbr1", type: "bridge", bridge_vlan_aware: 1, bridge_vids: "20" }],
      "fail",
      "vmbr1 does not carry VLAN 30",
    ],
    [
      [{ iface: "vmbr1", type: "bridge", bridge_vlan_aware: 1 }],
      "pass",
      "vmbr0 carries VLAN 20; vmbr1 carries VLAN 30",
    ],
  ])("with a further NIC on bridges %j: %s", async (more, status, detail) => {
    const nics = [{ bridge: "vmbr1", vlan: 30, address: "10.25.30.24/24" }];
    const settings = settingsWith({ network: { nics } });
    const network = [{ iface: "vmbr0", type: "bridge", bridge_vlan_aware: 1 }, ...more];
    const context = healthy({ settings, answers: { "/nodes/pve01/network": network } });
    expect(await find(context, "bridge")).toMatchObject({ status, detail });
  });

  test("with several NICs that lack something has all fixes", async () => {
    const nics = [
      { bridge: "vmbr1", address: "10.25.30.24/24" },
      { bridge: "vmbr2", address: "10.25.31.24/24" },
    ];
    const context = healthy({ settings: settingsWith({ network: { nics } }) });
    const found = await find(context, "bridge");
    expect(found.detail).toMatch(/^no vmbr1 on pve01, .*; no vmbr2 on pve01, /);
    expect(found.fix?.split("\n")).toEqual([
      expect.stringContaining("--iface vmbr1 "),
      expect.stringContaining("--iface vmbr2 "),
    ]);
  });

  test.each([
    [{ mtu: 9000 }, { mtu: "9000" }, "pass", "vmbr0 carries VLAN 20; vmbr1 is there"],
    [{ mtu: 1 }, { mtu: 1400 }, "pass", "vmbr0 carries VLAN 20; vmbr1 is there"],
    [{}, { mtu: 1400 }, "pass", "vmbr0 carries VLAN 20; vmbr1 is there"],
    [{ mtu: 1500 }, {}, "pass", "vmbr0 carries VLAN 20; vmbr1 is there"],
    [
      { mtu: 9000 },
      { mtu: "1500" },
      "fail",
      "network.nics.0.mtu is 9000, above 1500, the MTU of vmbr1: Proxmox refuses such a NIC, and the VM does not start",
    ],
    [
      { mtu: 9000 },
      {},
      "warn",
      "network.nics.0.mtu is 9000, and vmbr1 declares no MTU: it takes that of its ports, usually 1500, and if that is less, Proxmox refuses the NIC, and the VM does not start",
    ],
  ])("with a further NIC of %j on a bridge of %j: %s", async (more, bridge, status, detail) => {
    const nics = [{ bridge: "vmbr1", address: "10.25.30.24/24", ...more }];
    const network = [
      { iface: "vmbr0", type: "bridge", bridge_vlan_aware: 1 },
      { iface: "vmbr1", type: "bridge", ...bridge },
    ];
    const context = healthy({
      settings: settingsWith({ network: { nics } }),
      answers: { "/nodes/pve01/network": network },
    });
    const found = await find(context, "bridge");
    expect(found).toMatchObject({
      status,
      detail: expect.stringContaining(detail) as unknown,
    });
    const fix =
      "pvesh set /nodes/pve01/network/vmbr1 --type bridge --mtu 9000 && pvesh set /nodes/pve01/network  # its ports first; or declare less in network.nics.0.mtu";
    expect(found.fix).toBe(status === "pass" ? undefined : fix);
  });

  test("whose first NIC has a larger MTU than its bridge", async () => {
    const settings = settingsWith({ network: { mtu: 1501 } });
    const network = [{ iface: "vmbr0", type: "bridge", bridge_vlan_aware: 1, mtu: 1500 }];
    const context = healthy({ settings, answers: { "/nodes/pve01/network": network } });
    expect(await find(context, "bridge")).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/^network\.mtu is 1501, above 1500/) as unknown,
    });
  });

  test("without a VLAN any bridge does", async () => {
    const settings = settingsWith({ network: { vlan: null } });
    const network = [{ iface: "vmbr0", type: "bridge" }];
    const context = healthy({ settings, answers: { "/nodes/pve01/network": network } });
    expect(await find(context, "bridge")).toEqual(
      expect.objectContaining({
        status: "pass",
        detail: "vmbr0 is there, and the NIC has no VLAN",
      }),
    );
  });

  test("VLAN lists", () => {
    expect(carries("10 20 30-39", 35)).toBe(true);
    expect(carries("10 20 30-39", 21)).toBe(false);
    expect(carries("2-4094", 20)).toBe(true);
  });
});

describe("a template", () => {
  const of = (config: object, managed = new Set<number>()): Promise<Finding> => {
    const settings = settingsWith({ machine: { image: { template: 9000 } } });
    const known = { "/nodes/pve01/qemu/9000/config": config };
    return find({ ...healthy({ settings, answers: known }), managed }, "template:proj-docker02");
  };
  const seed = { ide2: "local-lvm:vm-9000-cloudinit,media=cdrom", scsihw: "virtio-scsi-single" };

  test("with one disk that fits passes", async () => {
    const scsi0 = "local-lvm:base-9000-disk-0,size=3584M";
    expect(await of({ ...seed, scsi0 })).toMatchObject({
      status: "pass",
      detail: "scsi0 of template 9000 has 3.5 GiB",
    });
  });

  test("with a larger disk than declared fails: no disk gets smaller", async () => {
    const found = await of({ ...seed, scsi0: "local-lvm:base-9000-disk-0,size=4T" });
    expect(found).toMatchObject({
      status: "fail",
      fix: "set machine.disk.sizeGiB to 4096 or more",
    });
  });

  test("with its disk on virtio0 fails: the VM would start from an empty one", async () => {
    const virtio0 = "local-lvm:base-9000-disk-0,size=3G";
    expect(await of({ ...seed, virtio0 })).toMatchObject({
      status: "fail",
      detail: "template 9000 has virtio0, and a node starts from scsi0",
    });
  });

  test("with further disks is a warning", async () => {
    const disk = (name: string): string => `local-lvm:base-9000-disk-${name},size=3G`;
    expect(await of({ ...seed, scsi0: disk("0"), sata1: disk("1") })).toMatchObject({
      status: "warn",
      detail: "template 9000 has sata1 too, and so will the VM",
    });
  });

  test("does not matter any more when the VM is there, and is not asked for without one", async () => {
    expect(await of({}, new Set([2019]))).toMatchObject({ status: "skip" });
    const ids = checksFor(healthy()).map(({ id }) => id);
    expect(ids.filter((id) => id.startsWith("template:"))).toEqual([]);
  });
});

describe("services", () => {
  test.each(["refused", "silent"] as const)("Portainer %s", async (outcome) => {
    const probe: Probe = () => Promise.resolve(outcome);
    expect(await find({ ...healthy(), probe }, "portainer")).toMatchObject({
      status: "warn",
      fix: "curl -kI https://10.25.10.11:9443/api/system/status",
    });
  });

  describe("Portainer's API", () => {
    const identity = selfSigned();
    const agents = { check: () => Promise.resolve(undefined), docker: () => Promise.resolve("") };
    const apiKey = "ptr_0123456789";

    /** The finding about a Portainer of this release. */
    async function asked(version: string, key: string | undefined = apiKey): Promise<Finding> {
      const { server } = createPortainer({ ...identity, apiKey, version, agents });
      const environment = { url: await listen(server), fingerprint: identity.fingerprint };
      const context = healthy({ settings: settingsWith({ portainer: { environment } }) });
      const configuration = { ...context.configuration, portainerApiKey: key };
      return find({ ...context, configuration, patience: 30_000 }, "portainer-api").finally(() => {
        close(server);
      });
    }

    test("passes, or says what is wrong: release, key, silence", async () => {
      const docker = prodNode().engine.version;
      expect(await asked("2.39.1")).toMatchObject({
        status: "pass",
        detail: "Portainer 2.39.1 accepts the key, 0 environments",
      });
      expect(await asked("2.33.4")).toMatchObject({
        status: "fail",
        detail: `Portainer is 2.33.4; Docker ${docker} needs 2.33.5 or later of 2.33, or 2.36 or later`,
      });
      expect(await asked("2.39.1", "wrong")).toMatchObject({
        status: "fail",
        fix: expect.stringContaining("pulumi config set --secret portainerApiKey") as unknown,
      });
      const context = healthy({
        settings: settingsWith({ portainer: { environment: { url: "https://127.0.0.1:1" } } }),
      });
      expect(await find(context, "portainer-api")).toMatchObject({ status: "skip" });
      const configuration = { ...context.configuration, portainerApiKey: apiKey };
      expect(await find({ ...context, configuration }, "portainer-api")).toMatchObject({
        status: "fail",
        fix: "curl -kI https://127.0.0.1:1/api/system/status",
      });
    });
  });

  test("for a node without portainer neither is asked", () => {
    const context = healthy({ settings: settingsWith({ portainer: null }) });
    const asked = checksFor(context).map(({ id, title }) => `${title} ${id}`);
    expect(asked.filter((one) => /portainer/i.test(one))).toEqual([]);
  });
});

test("a check that breaks has failed, and the others go on", async () => {
  const context = healthy();
  const broken = { id: "x", title: "X", run: (): never => raise() };
  const [first, second] = await examine(context, [broken, ...checksFor(context).slice(0, 1)]);
  expect(first).toMatchObject({ status: "fail", detail: "the check itself failed: oops" });
  expect(second).toMatchObject({ status: "pass" });
});

function raise(): never {
  throw new Error("oops");
}
