import { daemonChange, stdinDiff } from "../../commands/plan/daemon-diff";
import { variablesOf } from "../../node/stdin";
import { lineDiff } from "../../commands/plan/line-diff";
import type { Change, Plan, Properties, PropertyChange } from "../../commands/plan/model";
import { risksOf, RULES, type Risk } from "../../commands/plan/risks";
import { SEVERITIES, type Rule } from "../../commands/plan/rules/rule";
import { daemonStep, firewallStep } from "../../node/steps";
import { daemonSchema, reloadableKeys } from "../../config/daemon";
import { renderScript, shellQuote } from "../../node/scripts";
import { prodNode } from "../support/settings";

const VM = "proxmoxve:index/vmLegacy:VmLegacy";
const COMMAND = "command:remote:Command";

function change(type: string, over: Partial<Change> = {}): Change {
  return {
    action: "update",
    urn: `urn:pulumi:s::p::${type}::n-x`,
    type,
    name: "n-x",
    node: "n",
    properties: [],
    because: [],
    uncertain: false,
    retained: false,
    old: {},
    new: {},
    ...over,
  };
}

function planWith(...changes: Change[]): Plan {
  const counts = { create: 0, update: 0, replace: 0, delete: 0, import: 0, same: 0 };
  const nodes = [{ name: "n", changes, counts }];
  return { kind: "preview", stack: "s", nodes, counts, diagnostics: [], failed: false };
}

const risks = (...changes: Change[]): Risk[] => risksOf(planWith(...changes));

const labels = (...changes: Change[]): Record<string, readonly string[]> =>
  Object.fromEntries(risks(...changes).map(({ label, details }) => [label, details]));

const script = (variables: string, body = "true"): Properties => ({
  stdin: `${variables}\n# shellcheck shell=bash\n${body}`,
});
const daemon = (json: object, rest = ""): Properties =>
  script(`DAEMON_JSON=${shellQuote(`${JSON.stringify(json, null, 2)}\n`)}${rest}`);
const changed = (path: string, secret = false): PropertyChange => ({ path, secret });
const disks = (...sizes: number[]): Properties => ({
  disks: sizes.map((size, index) => ({ interface: `scsi${index}`, size })),
});

describe("machine", () => {
  test("replacing a VM is dangerous, and loses its disks", () => {
    const found = labels(
      change(VM, {
        action: "replace",
        because: ["vmId"],
        old: disks(32, 100),
        new: disks(32, 100),
      }),
    );
    expect(found).toEqual({
      "replaces-vm": ["vmId"],
      "data-loss": ["scsi0 (32 GiB)", "scsi1 (100 GiB)"],
    });
  });

  test("ports of a deleted VM are not mentioned", () => {
    const firewall = change("proxmoxve:firewall/optionsLegacy:OptionsLegacy", { action: "delete" });
    const vm = change(VM, { action: "delete", old: disks(32) });
    expect(Object.keys(labels(vm, firewall)).sort()).toEqual(["data-loss", "deletes-vm"]);
  });

  test("a VM or volume that is only removed from the state loses no data", () => {
    const retained = { action: "delete", retained: true, old: disks(32) } as const;
    expect(labels(change(VM, retained), change("docker:index/volume:Volume", retained))).toEqual(
      {},
    );
  });

  test.each(["delete", "replace"] as const)("to %s a volume loses its data", (action) => {
    const volume = change("docker:index/volume:Volume", { action, old: { name: "research" } });
    expect(labels(volume)).toEqual({ "data-loss": ["volume research"] });
    const old = { name: "socket", driverOpts: { type: "tmpfs" } };
    expect(labels(change("docker:index/volume:Volume", { action, old }))).toEqual({});
  });

  test("a disk that is no longer declared loses its data", () => {
    const gone = change(VM, { old: disks(32, 100), new: disks(32) });
    expect(labels(gone)).toEqual({ "data-loss": ["scsi1 (100 GiB)"] });
  });

  test("a disk that is declared smaller is refused by Proxmox halfway", () => {
    expect(labels(change(VM, { old: disks(32, 100), new: disks(32, 90) }))).toEqual({
      "shrinks-disk": ["scsi1: 100 → 90 GiB"],
    });
  });

  test("a disk that moves stops the VM, and is refused halfway if the VM may not stop", () => {
    const on = (datastoreId: string, rebootAfterUpdate = true): Properties => ({
      disks: [
        { interface: "scsi0", size: 32, datastoreId: "nvme" },
        { interface: "scsi1", size: 100, datastoreId },
      ],
      rebootAfterUpdate,
    });
    const found = (old: Properties, now: Properties): string[] =>
      risks(change(VM, { old, new: now })).map(
        ({ severity, label, details }) => `${severity} ${label} ${details.join()}`,
      );
    const moved = "moves-disk scsi1: nvme → ceph (100 GiB)";
    expect(found(on("nvme"), on("ceph"))).toEqual([`caution ${moved}`]);
    expect(found(on("nvme"), on("ceph", false))).toEqual([`danger ${moved}`]);
    expect(found(on("ceph"), on("ceph"))).toEqual([]);
    // As an import leaves it.
    expect(found(disks(32, 100), on("ceph"))).toEqual([]);
  });

  test("protection is lifted by an update, and by nothing else", () => {
    const [on, off] = [{ protection: true }, { protection: false }];
    expect(labels(change(VM, { old: on, new: off }))).toEqual({ "lifts-protection": [] });
    expect(labels(change(VM, { old: off, new: on }))).toEqual({});
  });

  test("a disk grows, it is not said to grow when it is new or the same", () => {
    expect(labels(change(VM, { old: disks(32, 100), new: disks(32, 110) }))).toEqual({
      "grows-disk": ["scsi1: 100 → 110 GiB"],
    });
    expect(labels(change(VM, { old: disks(32), new: disks(32, 110) }))).toEqual({});
  });

  test.each([
    ["cpu.cores", true],
    ["memory.dedicated", true],
    ["machine", true],
    ["bios", true],
    ["disks[1].aio", true],
    ["disks[0].queues", true],
    ["disks[0].discard", false],
    ["disks[0].iothread", false],
    ["disks[0]", false],
    ["description", false],
    ["tags[0]", false],
    ["cpuish", false],
  ])("a change of %s reboots: %s", (path, reboots) => {
    const found = labels(
      change(VM, { properties: [changed(path)], new: { rebootAfterUpdate: true } }),
    );
    expect(Object.keys(found)).toEqual(reboots ? ["reboots"] : []);
    const without = change(VM, { properties: [changed(path)], new: { rebootAfterUpdate: false } });
    expect(labels(without)).toEqual({});
  });
});

describe("docker", () => {
  const update = (old: Properties, now: Properties, step = "daemon"): Change =>
    change(COMMAND, { name: `n-${step}`, old, new: now });

  test("the reloadable keys are those daemon.sh is given, and keys of daemon.json", () => {
    const { variables } = daemonStep(prodNode());
    expect(String(variables.RELOADABLE).split(" ")).toEqual(reloadableKeys({}));
    expect(reloadableKeys({})).toEqual(
      expect.arrayContaining(["live-restore", "registry-mirrors", "features"]),
    );
    const known = Object.keys(daemonSchema.shape);
    expect(reloadableKeys({}).filter((key) => !known.includes(key))).toEqual([]);
  });

  test("a key that is taken out restarts: dockerd keeps it at a reload", () => {
    const base = { debug: true, "insecure-registries": ["registry.example.org"] };
    expect(labels(update(daemon(base), daemon({ debug: true })))).toEqual({
      "restarts-dockerd": ["insecure-registries"],
    });
  });

  test("a file that no reload takes over restarts", () => {
    const base = { "userland-proxy": true };
    expect(labels(update(daemon(base), daemon({ ...base, debug: true })))).toEqual({
      "restarts-dockerd": ["debug"],
    });
  });

  test("a reloadable key reloads, any other restarts", () => {
    const base = { debug: false, mtu: 1500 };
    expect(labels(update(daemon(base), daemon({ ...base, debug: true })))).toEqual({
      "reloads-dockerd": ["debug"],
    });
    expect(labels(update(daemon(base), daemon({ debug: true, mtu: 1400 })))).toEqual({
      "restarts-dockerd": ["debug", "mtu"],
    });
  });

  test.each([
    ["userns-remap", { "userns-remap": "default" }],
    ["storage-driver", { "storage-driver": "btrfs" }],
    ["data-root", { "data-root": "/srv" }],
    ["features.containerd-snapshotter", { features: { "containerd-snapshotter": true } }],
  ])("a change of %s hides what there is", (key, json) => {
    const found = labels(update(daemon({}), daemon(json)));
    expect(found["hides-images-or-volumes"]).toEqual([key]);
    expect(found).not.toHaveProperty("data-loss");
    expect(found).toHaveProperty("restarts-dockerd");
    expect(labels(update(daemon(json), daemon(json)))).toEqual({});
  });

  test("another feature only reloads", () => {
    expect(labels(update(daemon({}), daemon({ features: { cdi: true } })))).toEqual({
      "reloads-dockerd": ["features"],
    });
  });

  test("a confirmed change loses data", () => {
    const confirmed = daemon({ "data-root": "/srv" }, "\nDATA_LOSS_CONFIRMED='hide-existing'");
    expect(labels(update(daemon({}), confirmed))).toHaveProperty("data-loss");
    expect(labels(update(confirmed, confirmed))).toEqual({});
  });

  test("a new machine's daemon is not restarted", () => {
    const created = change(COMMAND, {
      name: "n-daemon",
      action: "create",
      new: daemon({ mtu: 1 }),
    });
    expect(labels(created)).toEqual({});
  });

  test("another version or source upgrades Docker", () => {
    const old = script("PACKAGE_SOURCE='official'\nVERSION='29.10.0'");
    const now = script("PACKAGE_SOURCE='official'\nVERSION='29.11.0'");
    expect(labels(update(old, now, "install"))).toEqual({
      "upgrades-docker": ["29.10.0 → 29.11.0"],
    });
    const other = script("PACKAGE_SOURCE='official'\nVERSION='29.10.0'", "false");
    expect(labels(update(old, other, "install"))).toEqual({});
  });
});

describe("network, secrets, backups", () => {
  const RULES_TYPE = "proxmoxve:firewall/rulesLegacy:RulesLegacy";
  const OPTIONS = "proxmoxve:firewall/optionsLegacy:OptionsLegacy";
  const ssh = { type: "in", action: "ACCEPT", proto: "tcp", dport: "22", source: "10.0.0.0/24" };

  test("an accepting rule that was not there opens a port; a comment or a drop does not", () => {
    const rules = (...all: object[]): Properties => ({ rules: all as never });
    const opened = (now: Properties): object =>
      labels(change(RULES_TYPE, { old: rules(ssh), new: now }));
    expect(opened(rules(ssh, { ...ssh, dport: "443", source: null }))).toEqual({
      "opens-port": ["tcp 443 from anywhere"],
    });
    expect(opened(rules({ ...ssh, source: null }))).toEqual({
      "opens-port": ["tcp 22 from anywhere"],
    });
    expect(opened(rules({ ...ssh, comment: "other" }))).toEqual({});
    expect(opened(rules({ ...ssh, source: "10.0.0.0/16" }))).toEqual({
      "opens-port": ["tcp 22 from 10.0.0.0/16"],
    });
    expect(opened(rules(ssh, { ...ssh, action: "DROP", dport: "1" }))).toEqual({});
    expect(opened(rules())).toEqual({ "closes-port": ["tcp 22 from 10.0.0.0/24"] });
  });

  test.each(["10.0.0.0/25", "10.0.0.7"])(
    "a source narrowed to %s closes, and opens nothing",
    (source) => {
      const [old, now] = [{ rules: [ssh] }, { rules: [{ ...ssh, source }] }];
      expect(labels(change(RULES_TYPE, { old, new: now }))).toEqual({
        "closes-port": ["tcp 22 from 10.0.0.0/24"],
      });
    },
  );

  test.each(["8000:8005", "8003"])("ports narrowed to %s close, and open nothing", (dport) => {
    const range = { ...ssh, dport: "8000:8010" };
    const found = (old: Properties, now: Properties): object =>
      labels(change(RULES_TYPE, { old: { rules: [old] }, new: { rules: [now] } }));
    expect(found(range, { ...ssh, dport })).toEqual({
      "closes-port": ["tcp 8000:8010 from 10.0.0.0/24"],
    });
    expect(found({ ...ssh, dport }, range)).toEqual({
      "opens-port": ["tcp 8000:8010 from 10.0.0.0/24"],
    });
    const icmp = { type: "in", action: "ACCEPT", proto: "icmp" };
    expect(found(icmp, { ...icmp, source: "10.0.0.7" })).toEqual({
      "closes-port": ["icmp any port from anywhere"],
    });
  });

  test("another VLAN or bridge is another network", () => {
    const nic = (vlanId: number | null, bridge = "vmbr0"): Properties => ({
      networkDevices: [{ bridge, vlanId, firewall: true }],
    });
    const found = (old: Properties, now: Properties): object =>
      labels(change(VM, { old, new: now }));
    expect(found(nic(20), nic(30))).toEqual({
      "changes-vlan": ["net0: vmbr0, VLAN 20 → vmbr0, VLAN 30"],
    });
    expect(found(nic(20), nic(null, "vmbr1"))).toEqual({
      "changes-vlan": ["net0: vmbr0, VLAN 20 → vmbr1, no VLAN"],
    });
    expect(found(nic(20), nic(20))).toEqual({});
    // As an import leaves it: what is the provider's default is not there.
    expect(found({ networkDevices: [{ vlanId: 20 }] }, nic(20))).toEqual({});
  });

  test("another address is said, another gateway or none before is not", () => {
    const vm = (address: string, gateway = "10.25.20.1"): Properties => ({
      initialization: { ipConfigs: [{ ipv4: { address, gateway } }], datastoreId: "nvme" },
    });
    const found = (old: Properties, now: Properties): object =>
      labels(change(VM, { old, new: now }));
    expect(found(vm("10.25.20.24/24"), vm("10.25.20.25/24"))).toEqual({
      "changes-address": ["10.25.20.24/24 → 10.25.20.25/24"],
    });
    expect(found(vm("10.25.20.24/24"), {})).toEqual({
      "changes-address": ["10.25.20.24/24 → none"],
    });
    expect(found(vm("10.25.20.24/24"), vm("10.25.20.24/24", "10.25.20.2"))).toEqual({});
    expect(found({}, vm("10.25.20.24/24"))).toEqual({});
  });

  test("a NIC beside the first is said when it comes, goes or gives its place to another", () => {
    const vm = (...nics: readonly (readonly [vlanId: number, address: string])[]): Properties => ({
      networkDevices: nics.map(([vlanId]) => ({ bridge: "vmbr0", vlanId, firewall: true })),
      initialization: { ipConfigs: nics.map(([, address]) => ({ ipv4: { address } })) },
    });
    const first = [20, "10.25.20.24/24"] as const;
    const storage = [30, "10.25.30.24/24"] as const;
    const backup = [31, "10.25.31.24/24"] as const;
    const found = (old: Properties, now: Properties): object =>
      labels(change(VM, { old, new: now }));
    const one = "vmbr0, VLAN 30, 10.25.30.24/24";
    const other = "vmbr0, VLAN 31, 10.25.31.24/24";
    expect(found(vm(first), vm(first, storage))).toEqual({
      "changes-nics": [`net1 is added: ${one}`],
    });
    expect(found(vm(first, storage, backup), vm(first, backup))).toEqual({
      "changes-nics": [`net1 becomes another: ${one} → ${other}`, `net2 is taken away: ${other}`],
    });
    expect(found(vm(first, storage), vm(first, [31, "10.25.30.24/24"]))).toEqual({
      "changes-nics": [`net1 becomes another: ${one} → vmbr0, VLAN 31, 10.25.30.24/24`],
    });
    expect(found(vm(first, storage), vm(first, [30, "10.25.30.25/24"]))).toEqual({
      "changes-nics": [`net1 becomes another: ${one} → vmbr0, VLAN 30, 10.25.30.25/24`],
    });
    expect(found(vm(first, storage), vm(first, storage))).toEqual({});
    expect(labels(change(VM, { action: "create", new: vm(first, storage) }))).toEqual({});
  });

  test("another IPv6 address is said apart from the IPv4 one; one that comes moves nobody", () => {
    const vm = (ipv6?: string, ipv4 = "10.25.20.24/24"): Properties => ({
      initialization: {
        ipConfigs: [{ ipv4: { address: ipv4 }, ...(ipv6 && { ipv6: { address: ipv6 } }) }],
      },
    });
    const found = (old: Properties, now: Properties): object =>
      labels(change(VM, { old, new: now }));
    expect(found(vm(), vm("fd25::24/64"))).toEqual({});
    expect(found(vm("fd25::24/64"), vm("fd25::24/64"))).toEqual({});
    expect(found(vm("fd25::24/64"), vm())).toEqual({
      "changes-address": ["fd25::24/64 → none"],
    });
    const both = vm("fd25::25/64", "10.25.20.25/24");
    expect(found(vm("fd25::24/64"), both)).toEqual({
      "changes-address": ["10.25.20.24/24 → 10.25.20.25/24", "fd25::24/64 → fd25::25/64"],
    });
    const saidOf = (old: Properties, now: Properties): string[] =>
      risks(change(VM, { old, new: now })).map(({ explanation }) => explanation);
    const only4 = vm("fd25::24/64", "10.25.20.25/24");
    expect(saidOf(vm("fd25::24/64"), vm("fd25::25/64"))).toEqual([
      expect.stringMatching(/another IPv6 address .* use the IPv4 one\.$/),
    ]);
    for (const now of [both, only4])
      expect(saidOf(vm("fd25::24/64"), now)).toEqual([
        expect.stringMatching(/reached only there: by people, Portainer, monitoring/),
      ]);
  });

  test("the firewall of a NIC that stays is said when it is switched, of any NIC", () => {
    const vm = (...on: boolean[]): Properties => ({
      networkDevices: on.map((firewall) => ({ bridge: "vmbr0", vlanId: 20, firewall })),
    });
    const found = (old: Properties, now: Properties): string[] =>
      Object.keys(labels(change(VM, { old, new: now })));
    expect(found(vm(true, true), vm(true, false))).toEqual(["opens-port"]);
    expect(found(vm(true, false), vm(true, true))).toEqual(["closes-port"]);
    expect(found(vm(true), vm(true, false))).toEqual(["changes-nics"]);
  });

  test("another MAC address takes the network away, another MTU breaks connections", () => {
    const nic = (field: string, before: number | string, after?: number | string): object => {
      const path = `networkDevices[0].${field}`;
      const properties = [{ path, before, after, secret: false }];
      return labels(change(VM, { properties }));
    };
    const [was, now] = ["BC:24:11:00:20:24", "BC:24:11:00:20:25"];
    expect(nic("macAddress", was, now)).toEqual({ "changes-mac": [`net0: ${was} → ${now}`] });
    expect(nic("mtu", 0, 1400)).toEqual({ "replugs-nic": ["net0: Proxmox's → 1400"] });
    expect(nic("mtu", 1400, undefined)).toEqual({ "replugs-nic": ["net0: 1400 → Proxmox's"] });
    expect(nic("firewall", 0, 1)).toEqual({});
    const properties = [{ path: "networkDevices[0].macAddress", after: now, secret: false }];
    expect(labels(change(VM, { action: "create", properties }))).toEqual({});
  });

  test("another MAC address is dangerous at the first NIC, by which the node is reached", () => {
    const said = (index: number): string[] => {
      const path = `networkDevices[${index}].macAddress`;
      const properties = [{ path, before: "a", after: "b", secret: false }];
      const found = risks(change(VM, { properties }));
      return found.map(({ severity, label, details }) => `${severity} ${label} ${details.join()}`);
    };
    expect(said(0)).toEqual(["danger changes-mac net0: a → b"]);
    expect(said(1)).toEqual(["caution changes-mac net1: a → b"]);
  });

  test("a key that is taken out is said, another comment is not", () => {
    const access = (...keys: string[]): Properties =>
      script(`AUTHORIZED_KEYS=${shellQuote(keys.join("\n"))}`);
    const found = (old: Properties, now: Properties): object =>
      labels(change(COMMAND, { name: "n-access", old, new: now }));
    const [one, two] = ["ssh-ed25519 AAAAone0123456789 a", "ssh-ed25519 AAAAtwo0123456789 b"];
    expect(found(access(one, two), access(two))).toEqual({
      "removes-ssh-key": ["ssh-ed25519 …ne0123456789"],
    });
    expect(found(access(one), access(one.replace(" a", " c"), two))).toEqual({});
  });

  test("a user who is taken out of the group docker, or whom sshd no longer lets in, is said", () => {
    const access = (members: string): Properties => script(`DOCKER_GROUP_MEMBERS='${members}'`);
    const hardening = (units: string, users: string): Properties =>
      script(`UNITS='${units}'\nNODE_USER='ubuntu'\nSSH_USERS='${users}'`);
    const found = (step: string, old: Properties, now: Properties): object =>
      labels(change(COMMAND, { name: `n-${step}`, old, new: now }));
    expect(found("access", access("ubuntu ann bob"), access("bob ubuntu"))).toEqual({
      "removes-user": ["ann: group docker"],
    });
    expect(found("access", access("ubuntu"), access("ubuntu ann"))).toEqual({});
    const [two, one] = [hardening("ssh sudo", "ann bob"), hardening("ssh", "bob")];
    expect(found("hardening", two, one)).toEqual({ "removes-user": ["ann: sshd"] });
    expect(found("hardening", one, two)).toEqual({});
    expect(found("hardening", two, hardening("sudo", ""))).toEqual({});
    expect(found("hardening", hardening("sudo", ""), one)).toEqual({
      "removes-user": ["everybody but ubuntu, bob: sshd"],
    });
  });

  test("backups of the VM that are to be kept for a shorter time are deleted", () => {
    const job = "proxmoxve:backup/job:Job";
    const daily = (days: number): Properties => ({
      pruneBackups: { "keep-daily": String(days) },
      remove: true,
    });
    const all = { pruneBackups: { "keep-all": "1" }, remove: false };
    const found = (old: Properties, now: Properties): readonly string[] | undefined =>
      labels(change(job, { old, new: now }))["deletes-backups"];
    expect(found(daily(30), daily(7))).toEqual(["kept: 30 days → 7 days"]);
    expect(found(all, daily(7))).toEqual(["kept: all → 7 days"]);
    expect(found(daily(7), daily(30))).toBeUndefined();
    expect(found(daily(7), all)).toBeUndefined();
    const made = change(job, { action: "create", new: daily(7) });
    expect(labels(made)).not.toHaveProperty("deletes-backups");
  });

  test.each([
    [OPTIONS, { enabled: true }, { enabled: false }],
    [OPTIONS, { enabled: true, inputPolicy: "DROP" }, { enabled: true, inputPolicy: "ACCEPT" }],
    [VM, { networkDevices: [{ firewall: true }] }, { networkDevices: [{ firewall: false }] }],
  ] as [string, Properties, Properties][])(
    "a weaker firewall opens ports, a stronger one closes them: %s %j %j",
    (type, old, now) => {
      const found = (before: Properties, after: Properties): string[] =>
        Object.keys(labels(change(type, { old: before, new: after })));
      expect(found(old, now)).toEqual(["opens-port"]);
      expect(found(now, old)).toEqual(["closes-port"]);
      expect(found(old, old)).toEqual([]);
    },
  );

  test("the node's own firewall opens and closes by its rules, on and off", () => {
    const of = (...rules: object[]): Properties => {
      const node = prodNode({ network: { firewall: { rules } } });
      const { script: name, variables } = firewallStep(node);
      return { stdin: renderScript(name, variables) };
    };
    const off = script("RULES=''");
    const found = (old: Properties, now: Properties): object =>
      labels(change(COMMAND, { name: "n-firewall", old, new: now }));
    const web = { port: "443" };
    expect(found(of(), of(web))).toEqual({ "opens-port": ["tcp 443 from anywhere"] });
    expect(found(of(web), of({ ...web, source: "10.25.0.0/16" }))).toEqual({
      "closes-port": ["tcp 443 from anywhere"],
    });
    expect(found(of(web), of({ ...web, comment: "web" }))).toEqual({});
    expect(found(of(web), off)).toEqual({
      "opens-port": ["the node's own firewall is switched off"],
    });
    expect(found(off, off)).toEqual({});
    const on = change(COMMAND, { name: "n-firewall", action: "create", new: of(web) });
    expect(labels(on)).toEqual({
      "closes-port": [expect.stringMatching(/switched on: .*containers/)],
    });
    // Nobody could reach a machine that is new.
    expect(labels(on, change(VM, { action: "create" }))).toEqual({});
  });

  test("a published port opens one", () => {
    const now = { ports: [{ internal: 80, external: 8080, ip: "10.0.0.1", protocol: "tcp" }] };
    const container = change("docker:index/container:Container", { action: "create", new: now });
    expect(labels(container)).toEqual({ "opens-port": ["tcp 8080 on 10.0.0.1"] });
  });

  test("a network replaced or deleted", () => {
    const network = change("docker:index/network:Network", {
      action: "replace",
      old: { name: "dev" },
    });
    expect(labels(network)).toEqual({ "replaces-network": ["dev"] });
  });

  test("IPv6 that is added to a network, which replaces it as another subnet does", () => {
    const pool = { subnet: "172.19.0.0/24", gateway: "172.19.0.1" };
    const over6 = { subnet: "fd25:28::/64", gateway: "fd25:28::1" };
    const network = change("docker:index/network:Network", {
      action: "replace",
      old: { name: "dev", ipamConfigs: [pool] },
      new: { name: "dev", ipamConfigs: [pool, over6], ipv6: true },
      properties: [
        { path: "ipamConfigs[1].subnet", after: over6.subnet, secret: false },
        { path: "ipv6", after: true, secret: false },
      ],
    });
    expect(labels(network)).toEqual({ "replaces-network": ["dev"] });
  });

  test("a secret is rotated by a change, not by a creation", () => {
    const properties = [changed("envs[1]", true)];
    expect(labels(change("any:t:T", { properties }))).toEqual({ "rotates-secret": ["envs[1]"] });
    expect(labels(change("any:t:T", { action: "create", properties }))).toEqual({});
  });

  test.each(["proxmoxve:backup/job:Job", "proxmoxve:storage/pbs:Pbs"])(
    "%s is about backups",
    (type) => {
      expect(labels(change(type, { action: "delete" }))).toEqual({ "touches-backups": ["delete"] });
    },
  );
});

describe("workloads", () => {
  const CONTAINER = "docker:index/container:Container";
  const of = (over: Partial<Change>, type = CONTAINER): Change =>
    change(type, {
      urn: `urn:pulumi:s::p::docker-node:components:DockerNode$docker-node:components:Workload$${type}::n-workload-web`,
      ...over,
    });
  const web = { hostname: "web" };

  test("another container is a restart", () => {
    expect(labels(of({ action: "replace", old: web, new: web }))).toEqual({
      "restarts-workload": ["web"],
    });
  });

  test("a new one is shown with its node", () => {
    expect(labels(of({ action: "create", new: web }))).toEqual({ "places-workload": ["web on n"] });
  });

  test("so are other secrets", () => {
    const stdin = script("WORKLOAD='web'\nCONTENT_0='x'");
    const secrets = of({ name: "n-workload-web-secrets", old: stdin, new: stdin }, COMMAND);
    expect(labels(secrets)).toEqual({ "restarts-workload": ["web"] });
    expect(labels(of({ name: "n-workload-web-limits", old: stdin }, COMMAND))).toEqual({});
  });

  test("removed is not restarted", () => {
    expect(labels(of({ action: "delete", old: web }))).toEqual({ "removes-workload": ["web"] });
    expect(labels(change(CONTAINER, { action: "delete", old: web }))).toEqual({});
  });

  test("data that it no longer has is named, data that moves too", () => {
    const volume = (volumeName: string, containerPath: string) => ({ volumeName, containerPath });
    const bind = { source: "/srv/web", target: "/www" };
    const before = { ...web, volumes: [volume("data", "/data"), volume("kept", "/kept")] };
    const after = { ...web, volumes: [volume("data", "/other"), volume("kept", "/kept")] };
    expect(
      labels(of({ action: "replace", old: { ...before, mounts: [bind] }, new: after })),
    ).toEqual({
      "detaches-data": ["web: data on /data", "web: /srv/web on /www"],
      "restarts-workload": ["web"],
    });
  });
});

test("the most severe risk comes first, and every label has a description", () => {
  const names = ["grows-disk", "reboots", "replaces-vm"] as const;
  const rules = names.map((label, at): Rule => {
    return { label, severity: SEVERITIES[at] ?? "info", explanation: "", applies: () => [] };
  });
  const found = risksOf(planWith(change(VM)), rules).map(({ severity }) => severity);
  expect(found).toEqual(["danger", "caution", "info"]);
  for (const { explanation, label } of RULES) {
    expect(explanation).toMatch(/^[A-Zd].*\.$/);
    expect(label).toMatch(/^[a-z-]+$/);
  }
});

describe("standard input", () => {
  test("variables come back as they went in, whatever they hold", () => {
    const values = { A: "it's", B: "two\nlines='x'", C: "", D: "$(id) `id` \\" };
    const text = Object.entries(values).map(([name, value]) => `${name}=${shellQuote(value)}`);
    expect(variablesOf(script(text.join("\n")).stdin)).toEqual(values);
  });

  test("only variables are shown; another script is said to be one", () => {
    const [old, now] = [script("A='1'\nB='2'", "old"), script("A='1'\nB='3'", "new")];
    expect(stdinDiff(old.stdin, now.stdin)).toEqual(["- B='2'", "+ B='3'", "script text changed"]);
    expect(stdinDiff(script("A='1'").stdin, script("A='1'", "x").stdin)).toEqual([
      "script text changed",
    ]);
    expect(stdinDiff("[secret]", "[secret]")).toEqual(["standard input changed"]);
  });

  test("an unreadable daemon.json does not throw", () => {
    expect(daemonChange(script("DAEMON_JSON='{'"), daemon({ mtu: 1 })).keys).toEqual(["mtu"]);
  });

  test("lines that moved, came and went", () => {
    expect(lineDiff("a\nb\nc", "a\nc\nd")).toEqual(["- b", "+ d"]);
    expect(lineDiff("same", "same")).toEqual([]);
    expect(lineDiff("", "x")).toEqual(["- ", "+ x"]);
  });
});
