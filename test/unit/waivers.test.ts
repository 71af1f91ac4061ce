import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import {
  CONTAINER_KINDS,
  FREE_OF_CONTAINERS,
  FREE_OF_MACHINES,
  HARMLESS,
  MACHINE_KINDS,
} from "../../config/waivers/arguments";
import { DOWNGRADES, WAIVABLE_IDS } from "../../config/waivers/table";
import { warnOfEnding } from "../../config/waivers/days";
import { DEFAULT_DAEMON } from "../../config/daemon";
import { UNITS } from "../../config/schema/hardening";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi } from "../support/mocks";
import { problems, prodWith, stackConfig, stackFile, waiver, writtenIn } from "../support/settings";
import { IMAGE, withWeb } from "../support/workloads";

/** What weakens a node takes a waiver, and a waiver takes something it waives. */

const NOW = new Date("2026-11-27T23:30:00Z");
const NODE = "proj-docker02";

/** Problems of production with an override and waivers, at a time. */
function told(override: unknown, waivers: unknown = [], now = NOW): string[] {
  return toldOf({ ...prodWith(override), waivers }, now);
}

function toldOf(raw: RawSettings, now = NOW): string[] {
  try {
    loadSettings(raw, undefined, now);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n  ").slice(1);
    throw error;
  }
  return [];
}

const until = (id: string, expires: string, terms: object = {}): object =>
  waiver(id, { expires, ...terms });

const daemon = (keys: object): object => ({ engine: { daemon: keys } });
const firewall = (keys: object): object => ({ network: { firewall: keys } });
const onLan = (more: object): object => ({
  networks: {
    lan: {
      driver: "macvlan",
      parent: "eth0",
      subnet: "10.25.30.0/24",
      gateway: "10.25.30.1",
      ...more,
    },
  },
});
const edge = (keys: object): object => ({
  portainer: { environment: { url: "https://port01.example.org" }, edge: keys },
});

/** A node that is there already, and a volume of it. */
const ADOPTING = { machine: { adopt: true, image: null }, volumes: { data: {} } };

/** [id, weak, the place and the value, the same without weakness, other waivers that it takes] */
const WEAK: [id: string, override: object, place: string, right: object, others?: string[]][] = [
  ["machine-unprotected", { machine: { protect: false } }, "machine.protect: false", {}],
  ["firewall-none", { network: { firewall: null } }, "network.firewall: missing", {}],
  [
    "firewall-off",
    firewall({ enabled: false }),
    "network.firewall.enabled: false",
    firewall({ enabled: true }),
  ],
  [
    "firewall-nic-off",
    { network: { nics: [{ vlan: 30, address: "10.25.30.24/24", firewall: false }] } },
    "network.nics.0.firewall: false",
    { network: { nics: [{ vlan: 30, address: "10.25.30.24/24", firewall: true }] } },
  ],
  [
    "firewall-node-off",
    firewall({ onNode: false }),
    "network.firewall.onNode: false",
    firewall({ onNode: true }),
  ],
  [
    "firewall-management-open",
    firewall({ managementNetworks: ["10.0.0.0/8", "0.0.0.0/0"] }),
    'network.firewall.managementNetworks.1: "0.0.0.0/0"',
    firewall({ managementNetworks: ["10.0.0.0/8", "fd00::/8", "2001:db8::7/128"] }),
  ],
  [
    "firewall-rule-open",
    firewall({ rules: [{ port: "443" }, { port: "9000:9010" }] }),
    'network.firewall.rules.1.port: "9000:9010"',
    firewall({ rules: [{ port: "443" }, { port: "22", source: "10.0.0.0/8" }] }),
  ],
  ["network-vlan-unfiltered", onLan({ vlan: 30 }), "networks.lan.vlan: 30", onLan({})],
  [
    "portainer-insecure-poll",
    edge({ insecurePoll: true }),
    "portainer.edge.insecurePoll: true",
    edge({ insecurePoll: false }),
  ],
  [
    "agent-adopted",
    { ...ADOPTING, adopt: { agent: "a".repeat(64) } },
    `adopt.agent: "${"a".repeat(64)}"; allowed: unset: the declared agent replaces`,
    { ...ADOPTING, adopt: { volumes: ["data"] } },
  ],
  ...UNITS.map((unit): [string, object, string, object] => [
    `hardening-${unit}-off`,
    { hardening: { [unit]: false } },
    `hardening.${unit}: false`,
    { hardening: { [unit]: true } },
  ]),
  [
    "hardening-ssh-forwarding",
    { hardening: { sshForwarding: true } },
    "hardening.sshForwarding: true",
    {},
  ],
  [
    "image-registry-any",
    { images: { registries: null } },
    "images.registries: missing",
    { images: { registries: ["docker.io", "ghcr.io", "registry.example.org"] } },
  ],
  ["image-scan-none", { images: { scan: null } }, "images.scan: missing", { images: { scan: {} } }],
  [
    "image-registry",
    { images: { registries: ["docker.io/library", "docker.io/portainer", "ghcr.io/google"] } },
    'backups.image: "registry.example.org/platform/docker-node-backup:',
    { images: { registries: ["docker.io", "ghcr.io", "registry.example.org/platform"] } },
  ],
  [
    "image-scan-lax",
    { images: { scan: { severity: "CRITICAL" } } },
    'images.scan.severity: "CRITICAL"',
    { images: { scan: { severity: "LOW" } } },
  ],
  ["daemon-userns-off", daemon({ "userns-remap": null }), "daemon.userns-remap: missing", {}],
  [
    "daemon-new-privileges",
    daemon({ "no-new-privileges": false }),
    "no-new-privileges: false",
    daemon({ "no-new-privileges": true }),
  ],
  [
    "daemon-seccomp-unconfined",
    daemon({ "seccomp-profile": "unconfined" }),
    'seccomp-profile: "unconfined"',
    daemon({ "seccomp-profile": "builtin" }),
  ],
  ["daemon-live-restore-off", daemon({ "live-restore": null }), "live-restore: missing", {}],
  [
    "daemon-cgroupns-host",
    daemon({ "default-cgroupns-mode": "host" }),
    'default-cgroupns-mode: "host"',
    daemon({ "default-cgroupns-mode": "private" }),
  ],
  [
    "daemon-ipc-shareable",
    daemon({ "default-ipc-mode": "shareable" }),
    'default-ipc-mode: "shareable"',
    daemon({ "default-ipc-mode": "private" }),
  ],
  ["daemon-iptables-off", daemon({ iptables: false }), "iptables: false", daemon({ icc: false })],
  [
    "daemon-ip6tables-off",
    daemon({ ip6tables: false }),
    "ip6tables: false",
    daemon({ ip6tables: true }),
  ],
  ["daemon-icc", daemon({ icc: true }), "icc: true", daemon({ icc: false })],
  [
    "daemon-direct-routing",
    daemon({ "allow-direct-routing": true }),
    "allow-direct-routing: true",
    daemon({ "allow-direct-routing": false }),
  ],
  [
    "daemon-forward-open",
    daemon({ "ip-forward-no-drop": true }),
    "ip-forward-no-drop: true",
    daemon({ "ip-forward-no-drop": false }),
  ],
  ["daemon-fwmark", daemon({ "bridge-accept-fwmark": "0x1" }), 'fwmark: "0x1"', {}],
  [
    "daemon-open-bridges",
    daemon({
      "default-network-opts": {
        bridge: { "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected" },
      },
    }),
    'gateway_mode_ipv4: "nat-unprotected"',
    daemon({
      "default-network-opts": { bridge: { "com.docker.network.bridge.gateway_mode_ipv4": "nat" } },
    }),
  ],
  [
    "daemon-userland-proxy",
    daemon({ "userland-proxy": true }),
    "userland-proxy: true",
    daemon({ "userland-proxy": false }),
  ],
  [
    "daemon-metrics-open",
    { ...daemon({ "metrics-addr": ":9323" }), monitoring: null },
    'metrics-addr: ":9323"',
    { ...daemon({ "metrics-addr": "10.25.20.24:9323" }), monitoring: null },
  ],
  [
    "daemon-insecure-registries",
    daemon({ "insecure-registries": ["registry:5000"] }),
    'insecure-registries: ["registry:5000"]',
    daemon({ "insecure-registries": [] }),
  ],
  [
    "daemon-plain-mirrors",
    daemon({ "registry-mirrors": ["https://a.example.org", "http://b.example.org"] }),
    'registry-mirrors.1: "http://b.example.org"',
    daemon({ "registry-mirrors": ["https://a.example.org"] }),
  ],
  [
    "daemon-insecure-builds",
    daemon({ builder: { entitlements: { "security-insecure": true } } }),
    "builder.entitlements.security-insecure: true",
    daemon({ builder: { entitlements: { "security-insecure": false } } }),
  ],
  [
    "daemon-experimental",
    daemon({ experimental: true }),
    "experimental: true",
    daemon({ experimental: false }),
  ],
  [
    "daemon-logs-none",
    daemon({ "log-driver": "none" }),
    'log-driver: "none"',
    daemon({ "log-driver": "local" }),
  ],
  [
    "daemon-log-level",
    daemon({ "log-level": "fatal" }),
    'daemon.log-level: "fatal"',
    daemon({ "log-level": "info", debug: false }),
  ],
  [
    "daemon-logs-endless",
    daemon({ "log-opts": { "max-size": null } }),
    'daemon.log-opts: {"max-file":"3"}',
    daemon({ "log-driver": "local" }),
  ],
  [
    "daemon-ulimits-none",
    daemon({ "default-ulimits": null }),
    "default-ulimits: missing",
    daemon({ "default-ulimits": { nofile: { Hard: 100000 } } }),
  ],
  [
    "daemon-cgroup-parent",
    daemon({ "cgroup-parent": "docker.slice" }),
    'daemon.cgroup-parent: "docker.slice"',
    {},
  ],
  [
    "override-privileges",
    { override: { agent: { privileged: true } } },
    "override.agent.privileged: true",
    { override: { agent: { privileged: false, capabilities: { drops: ["ALL"] } } } },
  ],
  [
    "override-mounts",
    { override: { backup: { volumes: [{ hostPath: "/", containerPath: "/host" }] } } },
    "override.backup.volumes: ",
    { override: { backup: { readOnly: true } } },
  ],
  [
    "override-program",
    { override: { agent: { entrypoints: ["/bin/sh"] } } },
    'override.agent.entrypoints: ["/bin/sh"]',
    { override: { agent: { cpuShares: 256 } } },
  ],
  [
    "override-namespaces",
    { override: { agent: { pidMode: "host" } } },
    'override.agent.pidMode: "host"',
    { override: { agent: { memory: 512 } } },
  ],
  [
    "override-ports",
    { override: { backup: { publishAllPorts: true } } },
    "override.backup.publishAllPorts: true",
    { override: { backup: { publishAllPorts: false } } },
  ],
  [
    "override-limits",
    { override: { backup: { memory: 0 } } },
    "override.backup.memory: 0",
    { override: { backup: { memory: 2048, cpuShares: 128 } } },
  ],
  [
    "override-logs",
    { override: { agent: { logDriver: "none" } } },
    'override.agent.logDriver: "none"',
    { override: { agent: { logDriver: "local" } } },
  ],
  [
    "override-nic",
    { override: { machine: { networkDevices: [{ bridge: "vmbr0" }] } } },
    "override.machine.networkDevices: ",
    { override: { machine: { watchdog: { enabled: true } } } },
  ],
  [
    "override-login",
    { override: { machine: { initialization: { userAccount: { password: "x" } } } } },
    "override.machine.initialization: ",
    { override: { machine: { vga: { type: "std" } } } },
  ],
  [
    "override-hypervisor",
    { override: { machine: { kvmArguments: "-device x" } } },
    'override.machine.kvmArguments: "-device x"',
    { override: { machine: { cpu: { flags: [] } } } },
  ],
  [
    "backup-system-paths",
    { backups: { configuration: { paths: ["/opt/compose", "/etc/shadow"] } } },
    'backups.configuration.paths.1: "/etc/shadow"',
    { backups: { configuration: { paths: ["/opt/compose", "/etc/docker/certs.d"] } } },
  ],
  [
    "workload-root",
    { ...withWeb({ user: "0:0" }), ...daemon({ "userns-remap": null }) },
    'workloads.web.user: "0:0"',
    withWeb({ user: "0:0" }),
    ["daemon-userns-off"],
  ],
  [
    "workload-writable-root",
    withWeb({ readOnlyRoot: false }),
    "workloads.web.readOnlyRoot: false",
    withWeb({ readOnlyRoot: true }),
  ],
  [
    "workload-capabilities",
    withWeb({ capabilities: ["CHOWN", "SYS_ADMIN"] }),
    'workloads.web.capabilities.1: "SYS_ADMIN"',
    withWeb({ capabilities: ["CHOWN", "NET_BIND_SERVICE"] }),
  ],
  [
    "workload-system-binds",
    withWeb({ binds: [{ source: "/var/run/docker.sock", path: "/docker.sock" }] }),
    'workloads.web.binds.0.source: "/var/run/docker.sock"',
    withWeb({ binds: [{ source: "/srv/etc", path: "/etc/web" }] }),
  ],
  [
    "workload-secret-variables",
    withWeb({ env: { DB_PASSWORD: "hunter2" } }),
    'workloads.web.env.DB_PASSWORD: "[hidden]"',
    withWeb({ env: { DB_PASSWORD_FILE: "/run/secrets/db", MONKEY: "a" } }),
  ],
];

/** What null does to a default of the program: the waiver that it takes, or why Docker's own default is as safe. */
const NULLS: Readonly<Record<string, string>> = {
  "storage-driver": "safe: where it remaps users, Docker takes overlay2 by itself",
  "default-runtime": "safe: Docker's own is runc too",
  "exec-opts": "safe: Docker takes systemd by itself where systemd runs with cgroup v2",
  "log-driver": "safe: Docker's own is json-file too",
  "log-opts": "daemon-logs-endless",
  "live-restore": "daemon-live-restore-off",
  "default-ulimits": "daemon-ulimits-none",
  "max-concurrent-downloads": "safe: only speed",
  "max-concurrent-uploads": "safe: only speed",
  "userns-remap": "daemon-userns-off",
  "no-new-privileges": "daemon-new-privileges",
  icc: "daemon-icc",
  "userland-proxy": "daemon-userland-proxy",
  bip: "safe: only other addresses",
  "default-address-pools": "safe: only other addresses",
};

const idsOf = (lines: readonly string[]): string[] =>
  lines.map((line) => /with id (\S+)/.exec(line)?.[1] ?? line);

describe("what weakens a node", () => {
  test.each(Object.keys(DEFAULT_DAEMON))("null for the program's own %s is no way out", (key) => {
    const meant = NULLS[key] ?? "";
    const ids = idsOf(told(daemon({ [key]: null })));
    if (meant.startsWith("daemon-")) expect(ids).toEqual([meant]);
    else expect(ids).toEqual([]);
    expect(meant).toMatch(/^(daemon-|safe: )/);
  });

  test.each([
    ["no firewall rules", { iptables: false }, ["daemon-iptables-off"]],
    ["no docker0, so that nothing is on it", { bridge: "none", icc: null }, []],
    [
      "no docker0, but ports of other networks",
      { bridge: "none", "userland-proxy": null },
      ["daemon-userland-proxy"],
    ],
    [
      "another driver, and back",
      { "log-driver": "json-file", "log-opts": null },
      ["daemon-logs-endless"],
    ],
    [
      "a limit other than of open files",
      { "default-ulimits": { nofile: null, core: { Name: "core", Soft: 0, Hard: 0 } } },
      ["daemon-ulimits-none"],
    ],
  ])("%s: its waivers alone", (_what, keys, expected) => {
    // Their containers would be on docker0.
    const without = "bridge" in keys && { portainer: null, monitoring: null, backups: null };
    expect(idsOf(told({ ...daemon(keys), ...without }))).toEqual(expected);
  });

  test("everybody's IPv6 network is as open as everybody's IPv4 one", () => {
    const raw = prodWith(firewall({ managementNetworks: ["10.0.0.0/8", "fd00::/8", "::/0"] }));
    expect(problems(raw)).toEqual([
      expect.stringMatching(/managementNetworks\.2: "::\/0".*firewall-management-open/),
    ]);
  });

  test.each<[source: string, isOpen: boolean]>([
    ["11.0.0.0/8", false],
    ["10.0.0.0/7", true],
    ["fd00::/8", false],
    ["fc00::/7", true],
    ["fe80::/10", false],
    ["2a00::/12", true],
    ["2001:d000::/20", false],
    ["2001:e000::/19", true],
  ])("%s stands for everybody: %s", (source, isOpen) => {
    const management = firewall({ managementNetworks: ["10.25.10.0/24", source] });
    const rule = firewall({ rules: [{ port: "22", source }] });
    expect(told(management, []).map((line) => /with id (\S+)/.exec(line)?.[1])).toEqual(
      isOpen ? ["firewall-management-open"] : [],
    );
    expect(told(rule, []).map((line) => /with id (\S+)/.exec(line)?.[1])).toEqual(
      isOpen ? ["firewall-rule-open"] : [],
    );
  });

  test("every id of the table is tested here, once", () => {
    expect(WEAK.map(([id]) => id)).toEqual(DOWNGRADES.map(({ id }) => id));
    expect(WAIVABLE_IDS).toHaveLength(new Set(WAIVABLE_IDS).size);
  });

  test.each(WEAK)(
    "%s is refused without a waiver, and only then",
    (id, override, place, right, others = []) => {
      const waivers = others.map((other) => until(other, "2027-05-31"));
      const found = told(override, waivers);
      expect(found).toHaveLength(1);
      expect(found[0]).toContain(place);
      expect(found[0]).toMatch(
        new RegExp(`; (allowed: |leave it out).*; or a waiver with id ${id} \\(`),
      );
      expect(told(override, [...waivers, until(id, "2027-05-31", { node: NODE })])).toEqual([]);
      expect(told(right)).toEqual([]);
    },
  );

  test("dockerd's debug messages are told as a level is", () => {
    expect(told(daemon({ debug: true }))).toEqual([
      expect.stringMatching(/daemon\.debug: true; .*a waiver with id daemon-log-level \(/),
    ]);
  });

  test("a port of Docker's API is refused whatever a waiver says", () => {
    expect(told(daemon({ hosts: ["tcp://0.0.0.0:2375"] }))).toEqual([
      expect.stringMatching(/daemon\.hosts: .*a node has no TCP listener$/),
    ]);
  });

  test("of the whole stack needs a waiver for all", () => {
    const { proxmox, ...rest } = prodWith({});
    const insecure = { ...rest, proxmox: merge(proxmox, { insecure: true }) };
    expect(toldOf(insecure)).toEqual([
      expect.stringMatching(/^proxmox\.insecure: true; allowed: false; or .* proxmox-insecure \(/),
    ]);
    const having = (node: string): string[] =>
      toldOf({ ...insecure, waivers: [until("proxmox-insecure", "2027-05-31", { node })] });
    expect(having("all")).toEqual([]);
    expect(having(NODE)).toHaveLength(1);
  });

  test("is reported once in the defaults, together with all other problems", () => {
    const [defaults] = Object.values(stackFile("prod").nodes as Record<string, unknown>);
    const nodes = {
      one: { machine: { vmId: 101 }, network: { address: "10.25.20.31/24" } },
      two: { machine: { vmId: 102 }, network: { address: "10.25.20.32/24", vlan: 5000 } },
    };
    const weak = { ...prodWith({}), defaults: merge(defaults, daemon({ icc: true })), nodes };
    expect(toldOf(weak)).toEqual([
      "nodes.two.network.vlan: 5000; allowed: at most 4094",
      expect.stringMatching(/^defaults\.engine\.daemon\.icc: true \(in 2 nodes\); allowed: false/),
    ]);
  });
});

test.each([
  ["postgres://app:hunter2@db:5432/app", true],
  ["redis://:hunter2@cache", true],
  ["https://app@db.example.org/a:b@c", false],
  ["http://db.example.org:5432/", false],
])("a workload's variable %s holds a password: %s", (value, isSecret) => {
  const lines = told(withWeb({ env: { DATABASE_URL: value } }));
  expect(idsOf(lines)).toEqual(isSecret ? ["workload-secret-variables"] : []);
  expect(lines.join()).not.toContain("hunter2");
});

describe("an argument of an override", () => {
  const modules = join(__dirname, "../../node_modules");
  /** Names of the arguments that a provider's resource takes. */
  const argumentsIn = (file: string, type: string): string[] => {
    const text = readFileSync(join(modules, file), "utf8");
    const body = text.split(`export interface ${type} {`)[1]?.split("\n}")[0] ?? "";
    return [...body.matchAll(/^ {4}(\w+)\??: /gm)].flatMap(([, name]) => name ?? []).sort();
  };

  test.each([
    [
      "container",
      "@pulumi/docker/container.d.ts",
      "ContainerArgs",
      CONTAINER_KINDS,
      FREE_OF_CONTAINERS,
    ],
    [
      "VM",
      "@muhlba91/pulumi-proxmoxve/vmLegacy.d.ts",
      "VmLegacyArgs",
      MACHINE_KINDS,
      FREE_OF_MACHINES,
    ],
  ])("of a %s is in a row or needs none for a reason, once", (_of, file, type, kinds, free) => {
    const judged = [...Object.values<readonly string[]>(kinds), ...Object.values(free)].flat();
    expect(judged.length).toBeGreaterThan(50);
    expect(judged.sort()).toEqual(argumentsIn(file, type));
  });

  test.each(
    Object.entries(CONTAINER_KINDS).flatMap(([kind, names]) => names.map((name) => [name, kind])),
  )("%s takes a waiver of %s for some value", (name, kind) => {
    const weak = [0, false, "none"].find((value) => HARMLESS[name]?.(value) !== true);
    const of = name === "ports" ? "backup" : "agent";
    const found = told({ override: { [of]: { [name]: weak } } });
    expect(idsOf(found)).toEqual([`override-${kind}`]);
  });

  test.each<[string, unknown, boolean]>([
    ["capabilities", { drops: [] }, true],
    ["capabilities", { drops: ["CAP_MKNOD"] }, true],
    ["capabilities", { adds: ["CAP_SYS_ADMIN"], drops: ["ALL"] }, true],
    ["capabilities", { drops: ["ALL"] }, false],
    ["capabilities", {}, false],
    ["envs", ["EDGE_INSECURE_POLL=1"], true],
    ["envs", ["LD_PRELOAD=/tmp/x.so"], true],
    ["envs", ["TZ=UTC", "SSL_CERT_FILE=/tmp/ca.pem"], true],
    ["envs", ["LOG_LEVEL=DEBUG", "HTTPS_PROXY=http://10.25.10.1:3128", "no_proxy=pbs01"], false],
    ["tmpfs", { "/tmp": "size=64m,exec" }, true],
    ["tmpfs", { "/tmp": "size=64m,noexec" }, false],
    ["memorySwap", -1, true],
    ["memorySwap", 1024, false],
    ["memory", "0", true],
    ["cpuShares", 0, true],
    ["ulimits", [{ name: "nofile", soft: 1048576, hard: 1048576 }], true],
    ["healthcheck", { tests: ["NONE"] }, true],
    ["logs", true, true],
  ])("%s: %j is weak: %s", (name, value, isWeak) => {
    const found = told({ override: { agent: { [name]: value } } });
    expect(found.map((line) => line.split(":")[0])).toEqual(
      isWeak ? [`nodes.${NODE}.override.agent.${name}`] : [],
    );
  });

  test.each<[string, unknown, boolean]>([
    ["serialDevices", [{ device: "/dev/ttyS0" }], true],
    ["serialDevices", [{ device: "socket" }, {}], false],
    ["disks", [{ interface: "scsi1", pathInDatastore: "vm-100-disk-0" }], true],
    ["disks", [{ interface: "scsi1", iothread: true }], false],
    ["macAddresses", ["BC:24:11:00:00:01"], true],
  ])("of the VM, %s: %j is weak: %s", (name, value, isWeak) => {
    expect(told({ override: { machine: { [name]: value } } })).toHaveLength(isWeak ? 1 : 0);
  });
});

describe("a waiver", () => {
  const weak = daemon({ experimental: true });
  const ID = "daemon-experimental";

  test("of another node does not count", () => {
    expect(told(weak, [until(ID, "2027-05-31", { node: "proj-docker09" })])).toEqual([
      expect.stringMatching(/daemon\.experimental: true/),
      expect.stringMatching(/^waivers\.0\.node: "proj-docker09" .*; allowed: all, proj-docker02$/),
    ]);
  });

  test("holds through its last day, and not a day longer", () => {
    expect(told(weak, [until(ID, "2026-11-27")])).toEqual([]);
    expect(told(weak, [until(ID, "2026-11-26")])).toEqual([
      'waivers.0.expires: "2026-11-26" (daemon-experimental, 2026-11-26); allowed: a day from 2026-11-27 on: this waiver has expired',
    ]);
  });

  test("ends within a year", () => {
    expect(told(weak, [until(ID, "2027-11-28")])).toEqual([]);
    expect(told(weak, [until(ID, "2027-11-29")])[0]).toContain("at most 366 days from 2026-11-27");
  });

  test("of one workload is not for another, nor for the program's containers", () => {
    const id = "workload-writable-root";
    const image = { image: IMAGE, readOnlyRoot: false };
    const both = { workloads: { web: image, db: image } };
    expect(told(both, [until(id, "2027-05-31", { container: "web" })])).toEqual([
      expect.stringMatching(/workloads\.db\.readOnlyRoot: false; .*or a waiver with id/) as unknown,
    ]);
  });

  test("a folder above one of the system's is one of them, and one beside it is not", () => {
    const source = (path: string): number =>
      told(withWeb({ binds: [{ source: path, path: "/mnt" }] })).length;
    expect(["/var", "/run/containerd", "/usr/share"].map(source)).toEqual([1, 1, 1]);
    expect(["/srv", "/var/lib/web", "/home/web", "/user"].map(source)).toEqual([0, 0, 0, 0]);
  });

  test("that nothing needs is refused, and so is a second one for the same", () => {
    expect(told({}, [until(ID, "2027-05-31")])).toEqual([
      'waivers.0.id: "daemon-experimental"; leave it out: nothing needs it (all nodes), or another one stands for it already',
    ]);
    const twice = [until(ID, "2027-05-31"), until(ID, "2027-05-31", { node: NODE })];
    expect(told(weak, twice)).toEqual([
      expect.stringMatching(/^waivers\.1\.id: .*nothing needs it \(proj-docker02\)/),
    ]);
  });

  test("of a policy is refused when nothing of the nodes' needs it", () => {
    const of = (id: string, terms: object = {}) => until(`policy-${id}`, "2027-05-31", terms);
    const unused = (override: object, ...waivers: object[]): string[] =>
      told(override, waivers).map((line) => line.split(";")[0] ?? "");
    const backups = (prodWith({}).nodes as Record<string, { backups: object }>)[NODE]?.backups;
    const none = { backups: { ...backups, vm: null } };
    expect(unused({}, of("vm-backup"))).toEqual(['waivers.0.id: "policy-vm-backup"']);
    expect(unused(none, of("vm-backup"))).toEqual([]);
    expect(unused(none, of("vm-backup"), of("vm-backup", { node: NODE }))).toEqual([
      'waivers.1.id: "policy-vm-backup"',
    ]);
    const secret = (container?: string) => of("secret-in-environment", { container });
    const next = { portainer: { agent: { next: {} } } };
    expect(unused({}, secret("portainer_agent"))).toEqual([]);
    expect(unused(next, secret("portainer_agent_next"))).toEqual([]);
    for (const [override, container] of [
      [{ portainer: null }, "portainer_agent"],
      [{}, "portainer_agent_next"],
    ] as const)
      expect(unused(override, secret(container))).toEqual([
        'waivers.0.id: "policy-secret-in-environment"',
      ]);
    // Of containers of the stack's own.
    expect(unused({ portainer: null }, secret("web"))).toEqual([]);
    expect(unused({ portainer: null }, secret())).toEqual([]);
  });

  test("of one container is not for another", () => {
    const override = { override: { agent: { pidMode: "host" } } };
    const of = (container: string): string[] =>
      told(override, [until("override-namespaces", "2027-05-31", { container })]);
    expect(of("portainer_agent")).toEqual([]);
    expect(of("docker_node_backup")).toEqual([
      expect.stringMatching(/override\.agent\.pidMode: "host"/),
    ]);
    expect(told(weak, [until(ID, "2027-05-31", { container: "portainer_agent" })])[0]).toContain(
      "leave it out with daemon-experimental, which is not of a container",
    );
  });

  test.each([
    ["an unknown id", { id: "daemon-none" }, /^waivers\.0\.id: "daemon-none"; .*"daemon-icc"/],
    ["no reason", { reason: " " }, /^waivers\.0\.reason: ""; allowed: at least 1 character$/],
    ["no owner", { owner: undefined }, /^waivers\.0\.owner: missing/],
    ["no such day", { expires: "2027-02-30" }, /expires: "2027-02-30"; allowed: a day of the/],
    ["a day in words", { expires: "next May" }, /expires: "next May"; allowed: a day, such as/],
    ["a misspelt key", { expiry: "2027-05-31" }, /^waivers\.0\.expiry: .*not a key/],
  ])("with %s is refused", (_what, terms, expected) => {
    const [first, ...others] = told(weak, [until(ID, "2027-05-31", terms)]);
    expect(first).toMatch(expected);
    expect(others).toEqual([]);
  });

  test.each(["2027-05-31T00:00:00Z", "2027-05-31 00:00:00 +0000 UTC"])(
    "may have the time that YAML and Pulumi make of a day without quotes: %s",
    (day) => {
      expect(told(weak, [until(ID, day)])).toEqual([]);
    },
  );

  test("is reported from thirty days before its end, the earliest first", () => {
    const waivers = [until(ID, "2026-12-27"), until("daemon-icc", "2026-11-27")];
    const raw = { ...prodWith(daemon({ experimental: true, icc: true })), waivers };
    const settings = loadSettings(raw, undefined, NOW);
    expect(warnOfEnding(settings.waivers, NOW)).toEqual([
      "waiver of daemon-icc for all ends today, on 2026-11-27; then nothing goes on until tests renews it or the value is gone",
      "waiver of daemon-experimental for all ends in 30 days, on 2026-12-27; then nothing goes on until tests renews it or the value is gone",
    ]);
    expect(warnOfEnding(settings.waivers, new Date("2026-11-26T00:00:00Z"))).toEqual([
      expect.stringContaining("daemon-icc"),
    ]);
  });
});

describe("the program", () => {
  const key = privateKey();
  const run = async (waivers: object[]): Promise<unknown[]> => {
    const said = jest.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
    const raw = prodWith({ ssh: key.ssh, ...daemon({ experimental: true }) });
    const values = Object.entries(stackConfig({ ...raw, waivers }));
    const config = Object.fromEntries(values.map(([name, { value }]) => [name, value]));
    const recorder = await startPulumi({ config });
    try {
      await runStack();
      await settle(recorder);
      return said.mock.calls.map(([message]) => message);
    } finally {
      said.mockRestore();
    }
  };
  const inDays = (days: number): string =>
    new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

  test("warns of a waiver that ends soon", async () => {
    const [line, ...others] = await run([until("daemon-experimental", inDays(9))]);
    expect(line).toMatch(/^waiver of daemon-experimental for all ends in 9 days/);
    expect(others).toEqual([]);
    expect(await run([until("daemon-experimental", inDays(99))])).toEqual([]);
  });

  test("stops without one, before anything is declared", async () => {
    await expect(run([])).rejects.toThrow(ConfigError);
  });
});

test("what the committed stack files have is waived, for the day they were written", () => {
  expect(toldOf(writtenIn("prod"))).toEqual([]);
  const { waivers } = writtenIn("lab") as { waivers?: { id: string }[] };
  expect(waivers?.map(({ id }) => id)).toEqual([
    "machine-unprotected",
    "hardening-ssh-forwarding",
    "cis-docker-2.5",
  ]);
});
