/**
 * The privileges of commands/doctor/privileges.json are exactly those that a VM's life needs: with all of them it
 * is created, refreshed, changed and deleted by the real Pulumi and provider; without any one of them
 * something is refused. The doctor sees each of them missing.
 *
 * Not proven here: the roles of backups, which belong to no machine's life. That each privilege of high availability, replication
 * and templates is needed is not tried; that they are enough is.
 * DockerNodeFirewall is for a look of doctor and up only.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import {
  LocalWorkspace,
  PulumiCommand,
  type Stack,
  type UpOptions,
} from "@pulumi/pulumi/automation";
import { CloudImage, VirtualMachine } from "../../components";
import { loadSettings, merge, type Settings } from "../../config/load";
import { examine } from "../../commands/doctor/checks";
import { clusterChecks } from "../../commands/doctor/checks/cluster";
import { datastoreChecks } from "../../commands/doctor/checks/datastores";
import { machineChecks } from "../../commands/doctor/checks/machine";
import { templateChecks } from "../../commands/doctor/checks/template";
import { ROLES, pathsOf, type Privilege } from "../../commands/doctor/privileges";
import { nameResource } from "../../config/names";
import { COMMAND } from "../../config/resource-types";
import { recordedNode, type RecordedNode, type StateResource } from "../../node/recorded";
import { connect, type Access as ProxmoxAccess } from "../../clients/proxmox";
import type { Context, Result } from "../../commands/doctor/types";
import { pulumiEnv, ensurePulumi } from "../../lab/lib/pulumi";
import { erase, openInstance, prepare } from "../../lab/lib/instance";
import { ensurePrerequisites } from "../../lab/lib/prerequisites";
import { ensurePython, proxmoxPrerequisites, stopProxmox } from "../../lab/lib/proxmox";
import { labWaivers } from "../../lab/lib/config";
import { startService } from "../../lab/lib/service";
import { stackFile } from "../support/settings";
import { log, order, quiet } from "./support";

jest.setTimeout(5 * 60_000);

/**
 * The lab's node, with what it does not have by itself: access by path, read anew from a file at every
 * question; and two checks of PVE that fakepve lacks, of `startup` (qemu-server, API2/Qemu.pm,
 * $check_vm_modify_config_perm) and of bridges (pve-guest-common, GuestHelpers.pm, check_vnet_access).
 */
const NODE = `
import json, os, re
from fakepve.qemu import split_drive
from labpve import __main__ as main
from labpve.node import LabNode

class StrictNode(LabNode):
    def _grant(self, settings):
        self.apitokens[settings.token.id] = settings.token.secret

    def access(self):
        with open(os.environ['LAB_ACCESS'], encoding='utf-8') as file:
            return json.load(file)

    @property
    def acl(self):
        token = self.settings.token.id
        return {token: [(path, set(held['privileges'])) for path, held in self.access().items()]}

    @acl.setter
    def acl(self, value):
        pass

    def allowed(self, user, path, priv):
        return any(priv in held['privileges'] and (at == path or held['propagate'] and path.startswith(at + '/'))
                   for at, held in self.access().items())

    def check_more(self, user, values):
        if 'startup' in values:
            self.require(user, '/', 'Sys.Modify')
        for key, value in values.items():
            if re.fullmatch(r'net\\d+', key):
                nic = split_drive(',' + str(value))[1]
                for vlan in [nic['tag'], *filter(None, nic.get('trunks', '').split(';'))]:
                    self.require(user, f"/sdn/zones/localnetwork/{nic['bridge']}/{vlan}", 'SDN.Use')

    async def _qm_create(self, values, user):
        self.check_more(user, values)
        return await super()._qm_create(values, user)

    async def _apply_config(self, vm, user, values):
        self.check_more(user, values)
        return await super()._apply_config(vm, user, values)

main.LabNode = StrictNode
main.main()
`;

const NAME = "proj-docker02";
const TOKEN = { id: "automation@pve!pulumi", secret: "11111111-2222-3333-4444-555555555555" };
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJj+VxKV8xLBPJHyXJLlH+/ge3udeQ/DUUXouMhOoBFG lab";
const GROWN = { machine: { disk: { sizeGiB: 5 } } };
const CHANGED = {
  machine: {
    ...GROWN.machine,
    description: "changed",
    tags: ["changed"],
    cpu: { cores: 2 },
    memoryGiB: 0.75,
    startup: { order: 21, upDelaySeconds: 1, downDelaySeconds: 1 },
  },
  network: { dnsServers: ["10.25.20.9"], firewall: { rules: [{ port: "443" }] } },
};
const here = openInstance("privileges");
const accessFile = path.join(here.stateDir, "access.json");
let server: http.Server;
let endpoint: string;
let image: Record<string, string>;
let stack: Stack;
let settings: Settings;
/** What `up` knows of the machine. */
let recorded: RecordedNode | undefined;

type Access = Record<string, { privileges: string[]; propagate: boolean }>;

/** The smallest machine that is one; QEMU runs it, but nothing boots. */
function declare(override: Record<string, unknown> = {}): void {
  const { nodes } = stackFile("lab") as { nodes: Record<string, unknown> };
  const small = {
    machine: {
      cpu: { cores: 1 },
      memoryGiB: 0.5,
      disk: { sizeGiB: 4 },
      dockerDisk: { sizeGiB: 4, datastore: "local-lvm" },
      image,
      agentTimeoutSeconds: 1,
      rebootAfterUpdate: false,
    },
    ssh: { publicKeys: [KEY], privateKeyFile: "unused" },
    portainer: null,
    backups: null,
  };
  const node = merge(merge(nodes[NAME], small), override);
  const raw = { proxmox: { endpoint, insecure: true }, nodes: { [NAME]: node } };
  settings = loadSettings({ ...raw, waivers: labWaivers(raw) });
}

/** How everything here reaches the node. */
const byToken = (): ProxmoxAccess => ({
  ...{ endpoint, insecure: true },
  apiToken: `${TOKEN.id}=${TOKEN.secret}`,
});

/** The part of the program that talks to Proxmox: the machine with its image, if it has one, or the image alone. */
function program({ imageOnly = false } = {}): Promise<void> {
  const node = settings.nodes[NAME];
  if (!node?.machine.image) throw new Error("no node");
  const cluster = new proxmox.Provider("proxmox", byToken());
  const opts = { providers: { proxmoxve: cluster } };
  const { proxmoxNode, image: from } = node.machine;
  const file =
    "url" in from ? new CloudImage("image", { proxmoxNode, image: from }, opts) : undefined;
  if (!imageOnly) new VirtualMachine(NAME, { node, imageVolumeId: file?.volumeId, recorded }, opts);
  return Promise.resolve();
}

interface Missing {
  path: string;
  privilege: string;
}

/** Access as commands/doctor/proxmox-role.sh gives it, less some privileges. */
function access(...missing: Missing[]): Access {
  const given: Access = {};
  for (const role of ROLES) {
    const { path: at, propagate, privileges } = role;
    const own = pathsOf(role, entry());
    const paths = at === "/vms" && own.length > 0 ? [at] : own;
    for (const where of paths) {
      const names = privileges.map(({ name }) => name);
      const left = names.filter(
        (name) => !missing.some(({ path, privilege }) => path === where && privilege === name),
      );
      given[where] = { propagate, privileges: [...(given[where]?.privileges ?? []), ...left] };
    }
  }
  return given;
}

function entry(): [string, Settings["nodes"][string]] {
  const node = settings.nodes[NAME];
  if (!node) throw new Error("no node");
  return [NAME, node];
}

function give(...missing: Missing[]): void {
  write(access(...missing));
}

function write(given: Access): void {
  fs.writeFileSync(`${accessFile}.new`, JSON.stringify(given));
  fs.renameSync(`${accessFile}.new`, accessFile);
}

/** What the doctor says, of what can be asked of the cluster; no address is probed. */
async function diagnose(only?: string): Promise<Result[]> {
  const cluster = connect(byToken());
  const configuration = { settings, problems: [], secrets: [] };
  const context = {
    stack: "lab",
    configuration,
    cluster,
    managed: new Set(),
    probe: () => Promise.resolve("silent"),
  } as unknown as Context;
  const checks = [
    ...[...clusterChecks, ...datastoreChecks(context)],
    ...[...machineChecks(context), ...templateChecks(context)],
  ];
  return examine(context, only ? checks.filter(({ id }) => id === only) : checks);
}

/** An image of nothing, and a place to download it from. */
async function publishImage(): Promise<void> {
  const file = path.join(here.stateDir, "empty.qcow2");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", file, "16M"]);
  const content = fs.readFileSync(file);
  server = http.createServer((request, response) => {
    response.writeHead(200, { "Content-Length": content.length });
    response.end(request.method === "HEAD" ? undefined : content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sha256 = createHash("sha256").update(content).digest("hex");
  image = { url: `http://127.0.0.1:${port}/empty.qcow2`, sha256, fileName: "empty.qcow2" };
}

async function startNode(): Promise<void> {
  const { stateDir, runDir } = here;
  const file = path.join(stateDir, "pve-settings.json");
  const network = { cidr: "10.25.20.0/24", host: "10.25.20.1" };
  const memory = { memoryFactor: 0.001, memoryFloor: 64, accelerator: "tcg" };
  const peers = ["pve02"];
  const node = { stateDir, runDir, peers, password: "unused", token: TOKEN, network, ...memory };
  fs.writeFileSync(file, JSON.stringify(node), { mode: 0o600 });
  const ready = path.join(stateDir, "pve.json");
  await startService(
    {
      name: "pve", // as stopProxmox knows it
      command: await ensurePython(log),
      args: ["-c", NODE, file],
      env: {
        PYTHONPATH: path.join(__dirname, "../../lab/pve"),
        PYTHONDONTWRITEBYTECODE: "1",
        LAB_ACCESS: accessFile,
      },
      stateDir,
      ready: () => Promise.resolve(fs.existsSync(ready)),
    },
    log,
  );
  ({ endpoint } = JSON.parse(fs.readFileSync(ready, "utf8")) as { endpoint: string });
}

async function openStack(stackName: string, run: () => Promise<void>): Promise<Stack> {
  const pulumi = await ensurePulumi(log);
  const [workDir, backend] = ["project", "pulumi"].map((name) =>
    path.join(here.stateDir, name),
  ) as [string, string];
  for (const directory of [workDir, backend]) fs.mkdirSync(directory, { recursive: true });
  return LocalWorkspace.createOrSelectStack(
    { stackName, projectName: "privileges", program: run },
    {
      workDir,
      pulumiHome: pulumi.home,
      pulumiCommand: await PulumiCommand.get({ root: pulumi.root }),
      envVars: {
        ...pulumiEnv(pulumi),
        PULUMI_BACKEND_URL: `file://${backend}`,
        PULUMI_CONFIG_PASSPHRASE: "lab",
      },
    },
  );
}

beforeAll(async () => {
  await stopProxmox(here.stateDir);
  erase(here);
  prepare(here);
  await ensurePrerequisites(proxmoxPrerequisites, log);
  fs.writeFileSync(accessFile, "{}");
  await publishImage();
  await startNode();
  stack = await openStack("lab", program);
  declare();
  give();
}, 30 * 60_000);

afterAll(async () => {
  await stopProxmox(here.stateDir);
  server.close();
  server.closeAllConnections();
  erase(here);
});

test("with exactly these privileges the doctor finds nothing wrong", async () => {
  const found = (await diagnose()).map(({ id, status }) => `${status} ${id}`);
  expect(found).toEqual([
    "pass api",
    "pass version",
    "pass privileges",
    "pass firewall",
    "pass datastore:pve01/local",
    "pass datastore:pve01/nvme-pool",
    "pass datastore:pve01/local-lvm",
    "skip backup:pve01",
    ...["host", "vm-id", "vm-name", "address", "bridge"].map((id) => `pass ${id}:${NAME}`),
  ]);
});

test("with exactly these privileges a machine is created, refreshed and changed", async () => {
  await stack.up(quiet);
  // The id is taken now, by what this context does not know to be its own.
  expect(await diagnose(`vm-id:${NAME}`)).toMatchObject([{ status: "fail" }]);
  await stack.refresh(quiet);
  declare(GROWN);
  await stack.up(quiet);
  declare(CHANGED);
  await stack.up(quiet);
});

/** What an up changes, as `update proj-docker02-vm`. */
async function changesOf(up: (options: UpOptions) => Promise<unknown>): Promise<string[]> {
  const changes: string[] = [];
  await up({
    ...quiet,
    onEvent: ({ resourcePreEvent }) => {
      const { op, urn } = resourcePreEvent?.metadata ?? { op: "same", urn: "" };
      if (op !== "same") changes.push(`${op} ${urn.split("::").at(-1) ?? ""}`);
    },
  });
  return changes.sort();
}

/** docs/how-to/run-several-nodes.md */
describe("another stack with an image of the same name", () => {
  let other: Stack;

  test("is refused if it has another content, and the file stays", async () => {
    other = await openStack("other", () => program({ imageOnly: true }));
    declare({ machine: { image: { ...image, sha256: "0".repeat(64) } } });
    await expect(other.up(quiet)).rejects.toThrow(/refusing to override existing file/);
    declare(CHANGED);
    await stack.refresh({ ...quiet, expectNoChanges: true });
  });

  test("shares the file; if it goes and takes it along, the file comes again and the machine stays", async () => {
    await other.up(quiet);
    await other.destroy(quiet);
    await stack.refresh(quiet);
    expect(await changesOf((options) => stack.up(options))).toEqual(["create image-file"]);
    await stack.refresh({ ...quiet, expectNoChanges: true });
  });
});

/** What an administrator of the cluster does: the program's token may none of it. */
async function administer(
  path: string,
  parameters: Record<string, string | number>,
  method: "POST" | "DELETE" = "POST",
): Promise<void> {
  const given = access();
  given["/vms"]?.privileges.push("VM.Migrate");
  given["/"]?.privileges.push("Sys.Console");
  given["/nodes/pve01"]?.privileges.push("Sys.PowerMgmt");
  write(given);
  await order(byToken(), method, path, parameters);
  give();
}

/** What `up` changes of a machine that is somewhere else now: its firewall follows, and nothing is made anew. */
async function follow(): Promise<string[]> {
  await stack.refresh({ ...quiet, target: [`**::${NAME}-vm`] });
  const changes = await changesOf((options) => stack.up(options));
  await stack.preview({ ...quiet, expectNoChanges: true });
  return changes;
}

const FOLLOWS = [`update ${NAME}-firewall`, `update ${NAME}-firewall-rules`];

/** docs/how-to/change-a-node.md */
test.each([
  ["pve01", "pve02"],
  ["pve02", "pve01"],
])("a machine that Proxmox moves from %s to %s goes on as the same one", async (from, to) => {
  const migration = { target: to, online: 1, "with-local-disks": 1 };
  await administer(`/nodes/${from}/qemu/2019/migrate`, migration);
  expect(await follow()).toEqual(FOLLOWS);
  await stack.refresh({ ...quiet, expectNoChanges: true });
});

test("a machine that is away with its Proxmox node is a finding, and nothing is made in its place", async () => {
  await administer("/nodes/pve01/status", { command: "shutdown" });
  const found = (await diagnose()).map(({ id, status }) => `${status} ${id}`);
  expect(found).toEqual(expect.arrayContaining(["pass api", "pass version", `fail host:${NAME}`]));
  await stack.up({ ...quiet, expectNoChanges: true });
  await administer("/nodes/pve01/wakeonlan", {});
  await stack.refresh({ ...quiet, expectNoChanges: true });
});

test("a machine that high availability starts on another node, and moves back, goes on as the same one", async () => {
  await administer("/cluster/ha/resources", { sid: "vm:2019" });
  await administer("/nodes/pve01/status", { command: "shutdown" });
  // While the node is lost: what else is on it cannot be read, and need not be.
  expect(await follow()).toEqual(FOLLOWS);
  await administer("/nodes/pve01/wakeonlan", {});
  await administer("/cluster/ha/resources/vm:2019/migrate", { node: "pve01" });
  expect(await follow()).toEqual(FOLLOWS);
  await stack.refresh({ ...quiet, expectNoChanges: true });
  await administer("/cluster/ha/resources/vm:2019", {}, "DELETE");
});

/** Of the refusals, these two name no privilege, as in Proxmox itself. */
const UNNAMED = new Set(["VM.Allocate", "Sys.AccessNetwork"]);

async function refused(operation: Promise<unknown>, at: string, privilege: string): Promise<void> {
  const error = await operation.then(
    () => undefined,
    (reason: unknown) => reason as Error,
  );
  expect(error?.message).toContain("403");
  expect(error?.message).toContain("Permission check failed");
  if (UNNAMED.has(privilege)) return;
  const asked = at === "/vms" ? "/vms/2019" : at;
  const named = new RegExp(`Permission check failed \\(${asked}, [^)]*\\b${privilege}\\b`);
  expect(error?.message).toMatch(named);
}

/** Takes one privilege away, and has the doctor find out. */
async function take(at: string, privilege: string): Promise<void> {
  give({ path: at, privilege });
  const asked = at === "/vms" ? "/vms/2019" : at;
  const [found] = await diagnose("privileges");
  expect(found).toMatchObject({
    status: "fail",
    detail: expect.stringContaining(`${asked} ${privilege}: `) as unknown,
    fix: expect.stringContaining("--print-role") as unknown,
  });
  expect(found?.detail).toMatch(/^1 of \d+ missing/);
}

test("without Datastore.Allocate on the image's datastore deletion is refused", async () => {
  await take("/storage/local", "Datastore.Allocate");
  await refused(stack.destroy(quiet), "/storage/local", "Datastore.Allocate");
});

test("with exactly these privileges everything is deleted", async () => {
  give();
  await stack.destroy(quiet);
  expect((await stack.exportStack()).deployment).not.toHaveProperty("resources.0");
});

/** Its disk is on ZFS alone, which is what Proxmox can replicate. */
const KEPT = {
  machine: {
    dockerDisk: null,
    disk: { sizeGiB: 16 },
    highAvailability: { nodes: { pve02: 1, pve01: 2 }, strict: true },
    replication: { target: "pve02", schedule: "*/30", maxMBps: 50 },
  },
  engine: { daemon: { "storage-opts": null } },
};

test("with exactly these privileges availability is declared, read back, changed and taken out", async () => {
  declare(KEPT);
  give();
  await stack.up(quiet);
  await stack.up({ ...quiet, expectNoChanges: true });
  await stack.refresh({ ...quiet, expectNoChanges: true });
  const { highAvailability, replication } = KEPT.machine;
  const changed = {
    highAvailability: { ...highAvailability, nodes: { pve01: 1 }, maxRestart: 3 },
    replication: { ...replication, schedule: "02:30", maxMBps: null },
  };
  declare(merge(KEPT, { machine: changed }) as Record<string, unknown>);
  await stack.up(quiet);
  await stack.refresh({ ...quiet, expectNoChanges: true });
  await stack.preview({ ...quiet, expectNoChanges: true });
  const without = merge(KEPT, { machine: { highAvailability: null, replication: null } });
  // What is taken away is taken away with the privileges that it needed.
  const given = access();
  declare(without as Record<string, unknown>);
  write(given);
  const { summary } = await stack.up(quiet);
  expect(summary.resourceChanges).toMatchObject({ delete: 3 });
  await stack.destroy(quiet);
});

/** The NICs of the machine in Proxmox, and the addresses that it tells cloud-init. */
async function nicsOf(): Promise<Record<string, string>> {
  const answer = await connect(byToken()).get("/nodes/pve01/qemu/2019/config");
  const config = Object.entries(answer as Record<string, string>);
  const nics = config.filter(([key]) => /^(net|ipconfig)[1-9]$/.test(key));
  return Object.fromEntries(
    nics.map(([key, value]) => [key, value.replace(/^virtio=[^,]+,/, "")]).sort(),
  ) as Record<string, string>;
}

/** What the state tells the next run of the machine, once the node has answered. */
async function record(): Promise<RecordedNode | undefined> {
  const exported = (await stack.exportStack()).deployment as { resources: Resource[] };
  const [name, node] = entry();
  const ready = { urn: `${COMMAND}::${nameResource(name, "ready")}`, type: COMMAND };
  const resources = [...exported.resources, { ...ready, outputs: { stdout: KEY } }];
  const state = Object.fromEntries(resources.map((resource) => [resource.urn, resource]));
  return recordedNode(name, node, state);
}

type Resource = StateResource & { readonly urn: string };

test("with exactly these privileges further NICs come, change places and go; an address that Proxmox keeps is no difference", async () => {
  const storage = { bridge: "vmbr0", vlan: 40, address: "10.25.40.19/24" };
  const instruments = { bridge: "vmbr0", vlan: 50, address: "10.25.50.19/24" };
  const withNics = async (...nics: object[]): Promise<Record<string, string>> => {
    declare(merge(CHANGED, { network: { nics } }) as Record<string, unknown>);
    // What is taken away is taken away with the privileges that it needed.
    if (nics.length > 0) give();
    await stack.up(quiet);
    recorded = await record();
    await stack.preview({ ...quiet, expectNoChanges: true });
    await stack.refresh({ ...quiet, expectNoChanges: true });
    return nicsOf();
  };
  expect(await withNics(storage, { ...instruments, ipv6: { address: "fd25:50::19/64" } })).toEqual({
    net1: "bridge=vmbr0,firewall=1,tag=40",
    net2: "bridge=vmbr0,firewall=1,tag=50",
    ipconfig1: "ip=10.25.40.19/24",
    ipconfig2: "ip=10.25.50.19/24,ip6=fd25:50::19/64",
  });
  expect(await withNics(instruments)).toMatchObject({
    net1: "bridge=vmbr0,firewall=1,tag=50",
    ipconfig1: "ip=10.25.50.19/24",
  });
  expect(Object.keys(await nicsOf())).not.toContain("net2");
  expect(Object.keys(await withNics())).not.toContain("net1");
  recorded = undefined;
  await stack.destroy(quiet);
});

/** From a template instead of a file. */
const CLONED = { machine: { image: { url: null, sha256: null, fileName: null, template: 9000 } } };

/** The disks that a VM has, as `scsi0 4G`. */
async function disksOf(vmId: number): Promise<string[]> {
  const cluster = connect(byToken());
  const answer = await cluster.get(`/nodes/pve01/qemu/${vmId}/config`);
  return Object.entries(answer as Record<string, string>)
    .filter(([key, value]) => /^(scsi|virtio|sata|ide)\d+$/.test(key) && !/media=cdrom/.test(value))
    .map(([key, value]) => `${key} ${/\bsize=(\w+)/.exec(value)?.[1] ?? "?"}`)
    .sort();
}

describe("a machine that is a clone of a template", () => {
  const template = (disks: Record<string, string>): Promise<void> =>
    administer("/nodes/pve01/qemu", { ...{ vmid: 9000, memory: 64, template: 1 }, ...disks });

  beforeEach(() => {
    declare(CLONED);
    give();
  });
  afterEach(() => administer("/nodes/pve01/qemu/9000", {}, "DELETE"));

  test("has the disks that are declared, with exactly these privileges", async () => {
    await template({ scsi0: "nvme-pool:3" });
    expect(await diagnose(`template:${NAME}`)).toMatchObject([{ status: "pass" }]);
    await stack.up(quiet);
    expect(await disksOf(2019)).toEqual(["scsi0 4G", "scsi1 4G"]);
    await stack.refresh({ ...quiet, expectNoChanges: true });
    await stack.preview({ ...quiet, expectNoChanges: true });
    await stack.destroy(quiet);
    expect(await disksOf(9000)).toEqual(["scsi0 3G"]);
  });

  test.each([
    [{ scsi0: "nvme-pool:6" }, "has 6 GiB, and machine.disk.sizeGiB is 4"],
    [{ virtio0: "nvme-pool:3" }, "template 9000 has virtio0"],
  ])("is told by doctor not to fit: %j", async (disks, detail) => {
    await template(disks);
    expect(await diagnose(`template:${NAME}`)).toMatchObject([
      { status: "fail", detail: expect.stringContaining(detail) as unknown },
    ]);
  });
});

/** Creation needs the rest. Paths are those of the lab's node, and are compared with its own below. */
const PATHS: Record<string, string[]> = {
  DockerNode: ["/vms"],
  DockerNodeTemplate: [],
  DockerNodeImages: ["/storage/local"],
  DockerNodeDisks: ["/storage/nvme-pool", "/storage/local-lvm"],
  DockerNodeHost: ["/nodes/pve01"],
  DockerNodeBridge: ["/sdn/zones/localnetwork/vmbr0/20", "/sdn/zones/localnetwork/vmbr0/30"],
  DockerNodeCluster: ["/"],
  DockerNodeFirewall: ["/"],
};
const needed = ROLES.flatMap(
  ({ role, privileges }: { role: string; privileges: readonly Privilege[] }) =>
    (PATHS[role] ?? []).flatMap((at) => privileges.map(({ name }) => [name, at] as const)),
);

test("nothing is left out", () => {
  declare();
  const given = Object.entries(access()).flatMap(([at, held]) =>
    held.privileges.map((name) => `${name} ${at}`),
  );
  expect(needed.map((pair) => pair.join(" ")).sort()).toEqual(given.sort());
});

describe("creation is refused without", () => {
  afterEach(async () => {
    give();
    await stack.destroy(quiet);
  });

  const others = new Set(["Datastore.Allocate", "Sys.Audit"]);
  /** With Sys.Modify there, it stands in for the other (PVE::API2::Storage::Status, query_url_metadata and download_url). */
  const standsIn = { path: "/", privilege: "Sys.Audit" };

  test.each(needed.filter(([name]) => !others.has(name)))("%s on %s", async (name, at) => {
    await take(at, name);
    if (name === "Sys.AccessNetwork") give({ path: at, privilege: name }, standsIn);
    await refused(stack.up(quiet), at, name);
  });
});
