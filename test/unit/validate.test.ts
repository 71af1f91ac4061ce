/** `docker-node validate`: both sides of each judgement, what cannot be measured, and what people and programs are told. */
import { createServer, type Server } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../clients/portainer";
import { accessFrom } from "../../clients/portainer-call";
import type { Row as BackupRow, State as BackupState } from "../../commands/backups/evidence";
import type { Result as Check } from "../../commands/benchmark/judge";
import { runCommandLine } from "../../commands/cli";
import type { NodeLook, Plan } from "../../commands/plan/model";
import { driftFacts } from "../../commands/report/facts";
import type { Inventory } from "../../commands/site/inventory";
import type { Opened } from "../../commands/site/open";
import { repeat } from "../../commands/validate/command";
import { isValid, toJson, toJunit, toTable } from "../../commands/validate/report";
import type { Judgement, Result } from "../../commands/validate/row";
import { ROWS } from "../../commands/validate/rows";
import {
  judgeContainer,
  judgeContainers,
  judgeDaemon,
  judgeNetworks,
  judgeVolumes,
} from "../../commands/validate/rows/docker";
import {
  judgeLatency,
  judgeLoad,
  judgeSpace,
  judgeWrites,
  findSharedNetwork,
} from "../../commands/validate/rows/performance";
import {
  judgeAgent,
  judgeHeartbeat,
  judgeNames,
  judgePorts,
  judgePortainer,
  judgeReboot,
  primaryName,
} from "../../commands/validate/rows/platform";
import { judgeBackups, judgeBenchmark, judgeDrift } from "../../commands/validate/rows/stack";
import { subjectOf, type Subject } from "../../commands/validate/subject";
import { tryRows, type Progress } from "../../commands/validate/run";
import { declaredImages } from "../../config/images";
import { loadSettings, merge } from "../../config/load";
import { ICC } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import type { Difference } from "../../node/checks";
import type { ShellVariables } from "../../node/scripts";
import { openedWith } from "../support/opened";
import { prodNode, prodWith, stackFile, waived } from "../support/settings";
import { IMAGE, NETWORK, withWeb } from "../support/workloads";

const NODE = "proj-docker02";
const node = prodNode();
const signal = new AbortController().signal;

const holds = (found: Judgement, figure: string | RegExp): void => {
  expect(found).toEqual({ holds: true, figure: expect.stringMatching(figure) as unknown });
};
const fails = (found: Judgement, figure: string | RegExp): void => {
  expect(found).toEqual({ holds: false, figure: expect.stringMatching(figure) as unknown });
};

describe("judgements", () => {
  const info = {
    ServerVersion: "29.10.0",
    Driver: "overlay2",
    LoggingDriver: "json-file",
    LiveRestoreEnabled: true,
  };

  test("Docker: the declared release and daemon", () => {
    const other = prodNode({ engine: { version: "29.10" } });
    holds(judgeDaemon(other, info), /^Docker 29\.10, storage-driver overlay2/);
    fails(judgeDaemon(other, { ...info, ServerVersion: "29.1.0" }), "Docker 29.1.0,");
    const exact = prodNode({ engine: { version: "29.10.0" } });
    holds(judgeDaemon(exact, { ...info, ServerVersion: "v29.10.0-rc.1" }), "Docker 29.10.0,");
    fails(judgeDaemon(exact, { ...info, ServerVersion: "29.10.1" }), "Docker 29.10.1,");
    fails(judgeDaemon(other, { ...info, Driver: "vfs" }), "storage-driver vfs");
    fails(judgeDaemon(other, { ...info, LiveRestoreEnabled: false }), "live-restore false");
    const debian = prodNode({ engine: { version: "26.1" } });
    holds(judgeDaemon(debian, { ...info, ServerVersion: "26.1.5+dfsg1" }), "Docker 26.1,");
  });

  test("a test container: every confinement that is declared", () => {
    const apparmor = "docker-default (enforce)";
    const found = {
      milliseconds: 900,
      uid: 165536,
      noNewPrivileges: true,
      seccomp: true,
      apparmor,
    };
    holds(judgeContainer(node, found), "ran in 900 ms");
    fails(judgeContainer(node, { ...found, uid: 0 }), "missing: remapped root$");
    fails(judgeContainer(node, { ...found, seccomp: false }), "missing: seccomp$");
    fails(judgeContainer(node, { ...found, noNewPrivileges: false }), "missing: no new priv");
    fails(judgeContainer(node, { ...found, apparmor: "unconfined" }), "missing: AppArmor");
    const plain = prodNode({ engine: { daemon: { "userns-remap": null } } });
    holds(judgeContainer(plain, { ...found, uid: 0 }), "ran in");
  });

  test("a reboot: an update that waits for one is told", () => {
    holds(judgeReboot({ reboot: null }), "none");
    fails(judgeReboot({ reboot: ["linux-base"] }), "one is needed linux-base");
    fails(judgeReboot({ reboot: [] }), "one is needed");
  });

  const IMAGES = {
    portainer_agent: node.portainer?.agent.image,
    docker_node_backup: node.backups?.image,
    docker_node_cadvisor: node.monitoring?.cadvisor?.image,
    docker_node_socket_proxy: node.monitoring?.cadvisor?.proxy.image,
  };

  const digestOf = (image = ""): string => image.split("@")[1] ?? "";
  const container = (Name: string, image: string | undefined, more: object = {}) => ({
    ...{ Id: Name, Name: `/${Name}`, Image: `id of ${Name}` },
    ...{ State: { Running: true }, Config: { Image: image ?? "" }, HostConfig: {} },
    ...more,
  });
  const bridge = (name: string, subnet: string, more: object = {}) => ({
    ...{ Name: name, Driver: "bridge", Internal: false, Options: {} },
    IPAM: { Config: [{ Subnet: subnet }] },
    ...more,
  });
  const inventory = (more: Partial<Inventory> = {}): Inventory => ({
    ...{ root: "/var/lib/docker", volumes: [], networks: [], status: null },
    containers: Object.entries(IMAGES).map(([name, image]) => container(name, image)),
    images: Object.entries(IMAGES).map(([name, image]) => ({
      Id: `id of ${name}`,
      RepoDigests: [`${name}@${digestOf(image)}`],
    })),
    ...more,
  });

  test("containers: there, running, not unhealthy, of the declared image", () => {
    holds(judgeContainers(node, inventory()), "^4 containers as declared$");
    fails(judgeContainers(node, inventory({ containers: [] })), /^portainer_agent is missing; /);
    fails(judgeContainers(node, inventory({ images: [] })), "portainer_agent has another image");
    const [agent, ...others] = inventory().containers;
    const withState = (State: object): Inventory =>
      inventory({ containers: [{ ...agent, State }, ...others] as Inventory["containers"] });
    fails(judgeContainers(node, withState({ Running: false })), "^portainer_agent does not run$");
    const sick = { Running: true, Health: { Status: "unhealthy" } };
    fails(judgeContainers(node, withState(sick)), "^portainer_agent is unhealthy$");
  });

  test("a workload's container is known by its label, and one that runs goes first", () => {
    const one = { ...node, workloads: prodNode(withWeb()).workloads };
    const [, digest] = IMAGE.split("@");
    const made = (Id: string, Running: boolean): object => ({
      ...{ Id, Name: `/n-workload-web-${Id}`, Image: "web-image", State: { Running } },
      Config: { Image: IMAGE, Labels: { "docker-node.workload": "web" } },
      HostConfig: {},
    });
    const found = (...all: object[]): Inventory => {
      const { containers, images } = inventory();
      const web = { Id: "web-image", RepoDigests: [`registry/web@${digest}`] };
      return inventory({
        containers: [...containers, ...all] as Inventory["containers"],
        images: [...images, web],
      });
    };
    holds(judgeContainers(one, found(made("new", false), made("old", true))), "^5 containers");
    fails(judgeContainers(one, found(made("new", false))), "^web does not run$");
    fails(judgeContainers(one, found()), "^web is missing$");
  });

  test("volumes", () => {
    const one = prodNode({ volumes: { data: {} } });
    const all = Object.keys(one.volumes).map((Name) => ({ Name, Labels: {}, Options: {} }));
    holds(judgeVolumes(one, inventory({ volumes: all })), "volumes as declared$");
    fails(judgeVolumes(one, inventory()), "data is missing");
  });

  test("networks: driver, subnet, isolation", () => {
    const declared = { aa: { subnet: "172.20.0.0/24" } };
    const one = { ...node, networks: prodNode({ networks: declared }).networks };
    const others = Object.entries(one.networks)
      .filter(([name]) => name !== "aa")
      .map(([name, { subnet, driver }]) => bridge(name, subnet, { Driver: driver }));
    const judge = (...found: object[]): Judgement =>
      judgeNetworks(one, inventory({ networks: [...others, ...found] as Inventory["networks"] }));
    holds(judge(bridge("aa", "172.20.0.0/24")), "networks as declared$");
    fails(judge(), "^aa is missing$");
    fails(judge(bridge("aa", "172.21.0.0/24")), "^aa is 172.21.0.0/24$");
    fails(judge(bridge("aa", "172.20.0.0/24", { Driver: "macvlan" })), "^aa is a macvlan$");
    fails(judge(bridge("aa", "172.20.0.0/24", { Internal: true })), "internal is not so");
    const Options = { "com.docker.network.bridge.enable_icc": "false" };
    fails(judge(bridge("aa", "172.20.0.0/24", { Options })), "isolated is true");
  });

  test("networks: the subnets of both families", () => {
    const ipv6 = { subnet: "fd25:28::/64" };
    const { networks } = prodNode({ networks: { aa: { subnet: "172.20.0.0/24", ipv6 } } });
    const judge = (declared: unknown, ...subnets: string[]): Judgement => {
      const IPAM = { Config: subnets.map((Subnet) => ({ Subnet })) };
      const found = [bridge("aa", "", { IPAM })] as Inventory["networks"];
      const one = { ...node, networks: { aa: declared } } as NodeConfig;
      return judgeNetworks(one, inventory({ networks: found }));
    };
    holds(judge(networks.aa, "172.20.0.0/24", "fd25:28::/64"), "networks as declared$");
    fails(judge(networks.aa, "172.20.0.0/24"), "^aa is 172.20.0.0/24$");
    const both = "^aa is 172.20.0.0/24, fd25:28::/64$";
    const without = { ...networks.aa, ipv6: undefined };
    fails(judge(without, "172.20.0.0/24", "fd25:28::/64"), both);
  });

  test("networks: an MTU, if one is declared", () => {
    const { networks } = prodNode({ networks: { aa: { subnet: "172.20.0.0/24", mtu: 1400 } } });
    const one = { ...node, networks: { aa: networks.aa } } as NodeConfig;
    const judge = (Options: object): Judgement => {
      const found = [bridge("aa", "172.20.0.0/24", { Options })] as Inventory["networks"];
      return judgeNetworks(one, inventory({ networks: found }));
    };
    holds(judge({ "com.docker.network.driver.mtu": "1400" }), "networks as declared$");
    fails(judge({ "com.docker.network.driver.mtu": "9000" }), "^aa: its MTU is 9000$");
    fails(judge({}), "^aa: its MTU is not set$");
  });

  test("load, latency and writes: a value at the limit fails", () => {
    const load = { cpu: 79.9, memory: 80, processors: 6, memoryMiB: 8192, seconds: 20 };
    holds(judgeLoad("cpu", 80, load), "^79.9 % \\(6 processors\\)$");
    fails(judgeLoad("memory", 80, load), "^80 % \\(a load of 8192 MiB\\)$");
    const trip = { rounds: 1000, p50: 0.1, p95: 1, p99: 9.9, max: 30, asked: "a", address: "a" };
    holds(
      judgeLatency(10, trip),
      "^p50 0.1 ms, p95 1 ms, p99 9.9 ms, max 30 ms \\(1000 rounds\\)$",
    );
    fails(judgeLatency(10, { ...trip, p99: 10 }), "p99 10 ms");
    const wrote = { iops: 1001, seconds: 15, tool: "python3" };
    holds(judgeWrites(1000, wrote), "^1001 IOPS for 15 s \\(python3\\)$");
    fails(judgeWrites(1000, { ...wrote, iops: 1000 }), "1000 IOPS");
    const room = { percent: 79, inodes: null, kinds: ["Images 1GB, 0B (0%) reclaimable"] };
    holds(judgeSpace(80, room), "^79 % used; Images 1GB, 0B \\(0%\\) reclaimable$");
    fails(judgeSpace(80, { ...room, percent: 80 }), "^80 % used;");
    fails(judgeSpace(80, { ...room, inodes: 80 }), "^79 % used, 80 % of the inodes;");
    holds(judgeNames(trip), "stands for a, it has a");
    fails(judgeNames({ ...trip, asked: "b" }), "stands for b, it has a");
  });

  test("ports: what is needed is open, nothing else is, loopback does not count", () => {
    const firewall = {
      managementNetworks: ["10.25.10.0/24"],
      rules: [{ proto: "tcp", port: "8000:8010" }],
    };
    const one = { ...node, network: { ...node.network, firewall: { enabled: true, ...firewall } } };
    const listening = (...ports: number[]) => ({
      listening: [
        { address: "127.0.0.53", port: 53 },
        { address: "::1", port: 631 },
        ...ports.map((port) => ({ address: "0.0.0.0", port })),
      ],
    });
    const judge = (...ports: number[]): Judgement =>
      judgePorts(one as NodeConfig, listening(...ports));
    const metrics = [9100, 9101, 9323];
    holds(judge(22, 9001, 8010, ...metrics), "^open: 22, 8010, 9001, 9100, 9101, 9323$");
    holds(judge(22, 9001, ...metrics), "^open: 22, 9001, 9100, 9101, 9323$");
    fails(judge(22, ...metrics), "closed: 9001$");
    fails(judge(22, 9001, 9100, 9101), "closed: 9323$");
    fails(judge(22, 9001, 2375, ...metrics), "not declared: 2375$");
    const ports = [{ port: 8443, containerPort: 8443 }];
    const { workloads } = prodNode(withWeb({ networks: { [NETWORK]: {} }, ports }));
    holds(
      judgePorts({ ...node, workloads }, listening(22, 9001, 8443, ...metrics)),
      "8443, 9001, 9100, 9101, 9323$",
    );
  });

  test("agent and Portainer", () => {
    holds(judgeAgent({ agent: 204 }), "status 204");
    fails(judgeAgent({ agent: 403 }), "status 403");
    fails(judgeAgent({ agent: 0 }), "no answer");
    holds(judgeHeartbeat({ Heartbeat: true }), "^asks Portainer$");
    fails(judgeHeartbeat({ Heartbeat: false }), "does not ask Portainer");
    holds(judgePortainer(["a", "b"], ["b", "a"]), "^2 of 2 containers$");
    fails(judgePortainer(["a"], ["b", "a"]), "1 not seen");
    fails(judgePortainer(["a", "c"], ["a"]), "1 that are not there");
  });

  test("backups: those beyond their RPO are named; without an answer there is no judgement", () => {
    const row = (item: string, state: BackupState): BackupRow => ({
      kind: "volume",
      item,
      usedBy: [],
      state,
      detail: "why",
    });
    holds(judgeBackups([row("a", "ok"), row("b", "excluded")]), "^1 in order$");
    fails(judgeBackups([row("a", "ok"), row("b", "late")]), "^1 in order; volume b: late$");
    expect(() => judgeBackups([row("a", "unknown")])).toThrow("volume a: why");
  });

  test("benchmark: a waived warning holds, one that is left does not", () => {
    const check = (id: string, state: "pass" | "warn" | "waived"): Check => ({
      ...{ id, state, node: NODE, title: id, findings: [], open: [], waivers: [] },
    });
    holds(
      judgeBenchmark([check("2.2", "pass"), check("2.12", "waived")]),
      "^1 warnings, 1 waived$",
    );
    fails(judgeBenchmark([check("5.4", "warn")]), "^1 warnings, 0 waived; 5.4$");
  });

  test("drift: of this node; a preview that failed is no judgement", () => {
    const changes = [{ action: "update", name: `${NODE}-vm` }];
    const counts = {};
    const plan = (name: string, more: object = {}): Plan =>
      ({
        nodes: [{ name, changes, counts }],
        ...{ diagnostics: [], failed: false, looks: [] },
        ...more,
      }) as never;
    holds(judgeDrift(NODE, plan("another")), "^nothing differs$");
    fails(judgeDrift(NODE, plan(NODE)), `^update ${NODE}-vm$`);
    const diagnostics = [{ severity: "error", message: "no passphrase", resources: [] }];
    const failed = plan(NODE, { failed: true, diagnostics });
    expect(() => judgeDrift(NODE, failed)).toThrow("pulumi failed: no passphrase");
    const unseen = plan("another", { looks: undefined });
    expect(() => judgeDrift(NODE, unseen)).toThrow("nobody looked: DOCKER_NODE_DRIFT is off");
    expect(driftFacts(NODE, unseen).problems).toHaveLength(1);
  });

  test("drift: what was changed by hand on the node counts, as in the report", () => {
    const difference: Difference = {
      step: "daemon",
      file: "/etc/docker/daemon.json",
      key: "icc",
      found: "true",
      declared: "false",
    };
    const plan = (...looks: NodeLook[]): Plan =>
      ({ nodes: [], diagnostics: [], failed: false, looks }) as never;
    const look = (more: Partial<NodeLook>): NodeLook => ({
      ...{ name: NODE, differences: [], problems: [] },
      ...more,
    });
    const byHand = look({ differences: [difference] });
    fails(judgeDrift(NODE, plan(byHand)), "^.*daemon.json.*icc");
    fails(
      judgeDrift(NODE, plan({ ...byHand, problems: ["boot: no answer"] })),
      "icc.*, not looked at: boot: no answer$",
    );
    expect(driftFacts(NODE, plan(byHand)).looks).toHaveLength(1);
    holds(judgeDrift(NODE, plan({ ...byHand, name: "another" })), "^nothing differs$");
    expect(() => judgeDrift(NODE, plan(look({ problems: ["ssh: no route"] })))).toThrow("no route");
  });
});

describe("between nodes", () => {
  const lan = (driver: object): object => ({
    networks: {
      sky: {
        driver: "macvlan",
        parent: "eth0",
        subnet: "10.25.30.0/24",
        gateway: "10.25.30.1",
        ...driver,
      },
    },
  });
  const two = (own: object, other: object) => {
    const raw = prodWith(merge(own, { primary: "proj-docker01" }));
    const twin = merge({ machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } }, other);
    const nodes = merge(raw.nodes, { "proj-docker01": twin });
    return loadSettings(waived({ ...raw, nodes })).nodes;
  };
  const subject = (nodes: Readonly<Record<string, NodeConfig>>) => ({
    ...{ name: NODE, nodes },
    node: nodes[NODE] as NodeConfig,
  });

  test("a macvlan of the same subnet and VLAN is shared, whatever its names", () => {
    const half = (range: string) => lan({ vlan: 30, range });
    const nodes = two(half("10.25.30.128/26"), half("10.25.30.64/26"));
    expect(findSharedNetwork(subject(nodes))).toEqual({
      ...{ network: "sky", peer: "proj-docker01", peerNetwork: "sky" },
    });
    expect(findSharedNetwork(subject(two({}, lan({ vlan: 30 }))))).toBeUndefined();
  });

  test("a macvlan and an ipvlan are on the same LAN", () => {
    const half = (driver: string, range: string) => lan({ driver, vlan: 30, range });
    const nodes = two(half("ipvlan", "10.25.30.128/26"), half("macvlan", "10.25.30.64/26"));
    expect(findSharedNetwork(subject(nodes))?.network).toBe("sky");
  });

  test("the primary's full name needs a search domain, and a primary of the stack", () => {
    const nodes = two({ network: { searchDomain: "example.org" } }, {});
    expect(primaryName(subject(nodes))).toBe("proj-docker01.example.org");
    const plain = subject(two({ network: { searchDomain: null } }, {}));
    expect(primaryName(plain)).toBeUndefined();
    const alone = prodNode({
      ...{ primary: { address: "10.25.20.99" }, network: { searchDomain: "example.org" } },
    });
    expect(primaryName({ name: NODE, node: alone, nodes: { [NODE]: alone } })).toBeUndefined();
  });
});

/** A stack with one node whose scripts answer as told; what is not told is an ssh that is down. */
function stackWith(
  answers: Readonly<Record<string, unknown>>,
  settings = loadSettings(prodWith({})),
): { opened: Opened; asked: string[] } {
  const asked: string[] = [];
  const script = (name: string, variables: ShellVariables): Promise<string> => {
    asked.push([name, variables["ACTION"]].filter(Boolean).join(" "));
    const answer = answers[name];
    return answer === undefined
      ? Promise.reject(new Error("10.25.20.24: Connection timed out"))
      : Promise.resolve(JSON.stringify(answer));
  };
  const shell = () => ({ script, feed: () => Promise.reject(new Error()), shown: () => "" });
  return { opened: openedWith(settings, { shell }), asked };
}
const REACH = {
  listening: [22, 9001, 9100, 9101, 9323].map((port) => ({ address: "0.0.0.0", port })),
  agent: 204,
  reboot: null,
};

/** Nobody is told. */
const silent: Progress = { show: () => undefined, warn: () => undefined };

const VULNERABILITY = { id: "CVE-2026-1", severity: "HIGH", package: "openssl", installed: "3.0" };

const scannedWith = (open: object[]): object => ({
  request: { container: "web", image: "web:1", exposure: { rank: 1, words: [] } },
  scanned: {},
  judgement: { open, waived: [], unneeded: [] },
});

describe("every row", () => {
  const networks = {
    sky: {
      ...{ driver: "macvlan", parent: "eth0", subnet: "10.25.30.0/24", gateway: "10.25.30.1" },
      range: "10.25.30.128/26",
    },
  };
  const own = { networks, volumes: { data: {} }, network: { searchDomain: "example.org" } };
  const raw = prodWith(merge(own, { primary: "proj-docker01" }));
  const twin = { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } };
  const other = merge(twin, { networks: { sky: { ...networks.sky, range: "10.25.30.64/26" } } });
  const { nodes } = loadSettings({ ...raw, nodes: merge(raw.nodes, { "proj-docker01": other }) });
  const declared = nodes[NODE] as NodeConfig;

  /** A node of which what these rows are about is wrong, and all else is right. */
  function subjectWithout(wrong: readonly string[]): Subject {
    const ok = (id: string): boolean => !wrong.includes(id);
    const inventory = asDeclared(declared, ok);
    const trip = (id: string) => ({ ...TRIP, p99: ok(id) ? 1 : 1000 });
    const answers: Record<string, unknown> = {
      "validation/container": { ...CONFINED, uid: ok("container") ? 165_536 : 0 },
      "validation/latency serve proj-docker01": { address: "10.25.30.70" },
      "validation/latency ask 10.25.30.70": trip("latency-across"),
      "validation/latency stop proj-docker01": {},
      "validation/disk": { iops: ok("iops") ? 5000 : 5, seconds: 15, tool: "fio-3.36" },
      "validation/space": { percent: ok("space") ? 41 : 80, inodes: 3, kinds: ["Images 1GB"] },
      "validation/discovery": { address: ok("discovery-across") ? "10.25.20.23" : null },
      reachability: { reachable: ok("primary") },
    };
    const script = (
      _: unknown,
      name: string,
      { ACTION, TARGET }: ShellVariables = {},
      at = TARGET,
    ) => Promise.resolve(answers[[name, ACTION, at].filter(Boolean).join(" ")]);
    const load = { processors: 6, memoryMiB: 8192, seconds: 20 };
    const changes = ok("drift") ? [] : [{ action: "update", name: `${NODE}-vm` }];
    const ports = ok("ports") ? REACH.listening : [{ address: "0.0.0.0", port: 2375 }];
    return {
      ...{ name: NODE, node: declared, nodes },
      script: script as Subject["script"],
      info: () => Promise.resolve({ ...INFO, Driver: ok("docker") ? "overlay2" : "vfs" } as never),
      inventory: () => Promise.resolve(inventory),
      load: () =>
        Promise.resolve({ ...load, cpu: ok("cpu") ? 50 : 99, memory: ok("memory") ? 51 : 98 }),
      latency: () =>
        Promise.resolve({ ...trip("latency"), asked: ok("discovery") ? "a" : "b", address: "a" }),
      reach: () =>
        Promise.resolve({
          ...{ listening: ports, agent: ok("agent") ? 204 : 0 },
          reboot: ok("reboot") ? null : ["linux-base"],
        }),
      backups: () => Promise.resolve([{ state: ok("backups") ? "ok" : "late" } as BackupRow]),
      scans: () => Promise.resolve([scannedWith(ok("images") ? [] : [VULNERABILITY])] as never),
      benchmark: () =>
        Promise.resolve([{ id: "5.4", state: ok("benchmark") ? "pass" : "warn" } as Check]),
      drift: () =>
        Promise.resolve({
          nodes: [{ name: NODE, changes }],
          ...{ diagnostics: [], failed: false, looks: [] },
        } as never),
      portainer: () => {
        const seen = ok("portainer") ? inventory.containers.map(({ Id }) => Id) : ["unknown"];
        return { containers: () => Promise.resolve(seen) } as never;
      },
    };
  }

  const IDS = ROWS.map(({ id }) => id);
  const states = async (wrong: readonly string[]): Promise<Record<string, string>> => {
    const results = await tryRows(subjectWithout(wrong), ROWS, signal, silent);
    return Object.fromEntries(
      results.map(({ id, state, reason }) => [id, [state, reason].filter(Boolean).join(": ")]),
    );
  };
  const all = (state: string) => Object.fromEntries(IDS.map((id) => [id, state]));

  test("holds for a node of which everything is right", async () => {
    expect(await states([])).toEqual(all("held"));
  });

  test.each(IDS)("%s alone does not hold where only that is wrong", async (id) => {
    expect(await states([id])).toEqual({ ...all("held"), [id]: "not held" });
  });

  test("what serves on the other node is stopped, also where nothing was measured", async () => {
    const subject = subjectWithout([]);
    const asked: string[] = [];
    const script = ((_: unknown, __: string, { ACTION }: ShellVariables, at = NODE) => {
      asked.push(`${String(ACTION)} on ${at}`);
      return ACTION === "ask"
        ? Promise.reject(new Error("no route to host"))
        : Promise.resolve({ address: "10.25.30.70" });
    }) as Subject["script"];
    const rows = ROWS.filter(({ id }) => id === "latency-across");
    const [result] = await tryRows({ ...subject, script }, rows, signal, silent);
    expect(result).toMatchObject({ state: "not measured", reason: "no route to host" });
    expect(asked).toEqual([
      "serve on proj-docker01",
      "ask on proj-docker02",
      "stop on proj-docker01",
    ]);
  });

  test("says what is found, what it has to be, and how it was measured", async () => {
    for (const result of await tryRows(subjectWithout(IDS), ROWS, signal, silent))
      expect(result).toMatchObject({
        figure: expect.stringMatching(/./) as unknown,
        threshold: expect.stringMatching(/./) as unknown,
        how: expect.stringMatching(/./) as unknown,
      });
  });

  test("is shown while it is measured, and told when it was", async () => {
    const told: string[] = [];
    const progress: Progress = {
      show: (text) => told.push(`now ${text}`),
      warn: (text) => told.push(text),
    };
    const [first] = ROWS;
    await tryRows(subjectWithout([]), ROWS.slice(0, 1), signal, progress);
    expect(told).toEqual([
      `now ${NODE}: ${first?.title} is measured, 1 of 1`,
      `${NODE}: ${first?.title}: held`,
    ]);
  });
});

const INFO = {
  ServerVersion: "29.10.0",
  Driver: "overlay2",
  LoggingDriver: "json-file",
  LiveRestoreEnabled: true,
};
const CONFINED = {
  ...{ milliseconds: 900, noNewPrivileges: true, seccomp: true },
  apparmor: "docker-default (enforce)",
};
const TRIP = { rounds: 1000, p50: 0.1, p95: 1, max: 30, asked: "a", address: "a" };
const EMPTY: Inventory = {
  ...{ root: "/var/lib/docker", volumes: [], networks: [], containers: [], images: [] },
  status: null,
};

/** What a node's Docker has when all that is declared is there, but for what `ok` says is not. */
function asDeclared(declared: NodeConfig, ok: (id: string) => boolean): Inventory {
  const images = declaredImages(declared);
  return {
    ...EMPTY,
    containers: images.map(({ container, image }) => ({
      ...{ Id: container, Name: `/${container}`, Image: `id of ${image}` },
      ...{ State: { Running: ok("containers") }, Config: { Image: image }, HostConfig: {} },
    })),
    images: images.map(({ image }) => ({
      ...{ Id: `id of ${image}`, RepoDigests: [`x@${image.split("@")[1] ?? ""}`] },
    })),
    volumes: ok("volumes") ? Object.keys(declared.volumes).map((Name) => ({ Name })) : [],
    networks: Object.entries(ok("networks") ? declared.networks : {}).map(([Name, one]) => ({
      ...{ Name, Driver: one.driver, IPAM: { Config: [{ Subnet: one.subnet }] } },
      Internal: one.driver === "bridge" && one.internal,
      Options: { [ICC]: String(!(one.driver === "bridge" && one.isolated)) },
    })),
  };
}

describe("what cannot be measured", () => {
  const plan = () => Promise.reject(new Error("the Pulumi CLI does not start"));
  const attempt = async (answers: Readonly<Record<string, unknown>>): Promise<Result[]> => {
    const { opened } = stackWith(answers);
    const around = { opened, drift: plan, environment: {} };
    return tryRows(
      subjectOf(NODE, opened.settings.nodes[NODE] as NodeConfig, around),
      ROWS,
      signal,
      silent,
    );
  };
  const reasons = (results: readonly Result[]): Record<string, string> =>
    Object.fromEntries(results.flatMap(({ id, reason }) => (reason ? [[id, reason]] : [])));

  test("ssh that is down: every row of the node says so, and none holds", async () => {
    const results = await attempt({});
    expect(results.map(({ state }) => state)).not.toContain("held");
    const down = "10.25.20.24: Connection timed out";
    const ids = ["docker", "container", "containers", "cpu", "memory", "latency", "iops", "ports"];
    expect(reasons(results)).toMatchObject({
      ...Object.fromEntries(ids.map((id) => [id, down])),
      portainer: "PORTAINER_URL is not set, and portainer.environment is not declared",
      benchmark: down,
      backups: "PBS_RESTORE_TOKEN_ID is not set",
      drift: "the Pulumi CLI does not start",
    });
    expect(isValid(results, false)).toBe(false);
  });

  test("an answer of another shape is no figure", async () => {
    const results = await attempt({ "validation/disk": { iops: "many" } });
    expect(reasons(results)["iops"]).toMatch(/validation\/disk\.sh is not as expected: iops/);
  });

  test("a row of something that is not declared is no finding", async () => {
    const results = await attempt({});
    const undeclared = results.filter(({ state }) => state === "not declared");
    expect(undeclared.map(({ id }) => id)).toEqual([
      ...["volumes", "latency-across", "primary", "discovery-across"],
    ]);
  });

  test("after Ctrl-C nothing more is tried", async () => {
    const { opened, asked } = stackWith({});
    const around = { opened, drift: plan, environment: {} };
    const subject = subjectOf(NODE, node, around);
    const stopped = AbortSignal.abort(new Error("interrupted"));
    await expect(tryRows(subject, ROWS, stopped, silent)).rejects.toThrow("interrupted");
    expect(asked).toEqual([]);
  });
});

describe("reports", () => {
  const base = { node: NODE, id: "iops", title: "Writes", how: "fio", threshold: "> 1000 IOPS" };
  const held: Result = { ...base, state: "held", figure: "1200 IOPS" };
  const low: Result = { ...base, state: "not held", figure: "12 IOPS" };
  const unmeasured: Result = { ...base, state: "not measured", reason: 'no <disk> & "room"' };
  const none: Result = { ...base, state: "not declared", threshold: undefined };

  test("one that was not measured is a finding, unless that is allowed", () => {
    expect([isValid([held, none], false), isValid([held, low], true)]).toEqual([true, false]);
    expect([isValid([unmeasured], false), isValid([unmeasured], true)]).toEqual([false, true]);
  });

  test("people: figure, threshold, how, and the sum", () => {
    const text = toTable([held, low, unmeasured, none], false);
    expect(text).toMatch(/^proj-docker02:\n {2}row +found +has to be +measured by$/m);
    expect(text).toMatch(/✓ Writes +1200 IOPS +> 1000 IOPS +fio/);
    expect(text).toMatch(/✗ Writes +12 IOPS +> 1000 IOPS +fio/);
    expect(text).toMatch(/\? Writes +not measured: no <disk> & "room" +> 1000 IOPS +fio/);
    expect(text).toMatch(/- Writes +not declared/);
    expect(text).toMatch(/^1 held, 1 not held, 1 not measured, 1 not declared: NOT valid$/m);
  });

  test("programs", () => {
    expect(JSON.parse(toJson("prod", [held], false))).toEqual({
      ...{ stack: "prod", valid: true },
      rows: [held],
    });
  });

  test("JUnit: a suite for a node, a case for a row; what is not measured is an error or skipped", () => {
    const text = toJunit([held, low, unmeasured, none], false);
    expect(text).toContain(`<testsuite name="${NODE}" tests="4">`);
    expect(text).toContain(`<testcase name="iops" classname="${NODE}"><failure message="12 IOPS;`);
    const reason = "not measured: no &lt;disk&gt; &amp; &quot;room&quot;";
    expect(text).toContain(`<error message="${reason}"></error>`);
    expect(toJunit([unmeasured], true)).toContain(`<skipped message="${reason}"></skipped>`);
    expect(toJunit([{ ...low, figure: "a\u0007\nb" }], false)).toContain('message="a b;');
  });
});

describe("npx docker-node validate", () => {
  const run = async (args: string[], answers: Readonly<Record<string, unknown>> = {}) => {
    const [out, err]: [string[], string[]] = [[], []];
    const { opened, asked } = stackWith(answers, loadSettings(stackFile("prod")));
    const status = await runCommandLine(["validate", ...args], {
      print: (text) => out.push(text),
      warn: (text) => err.push(text),
      open: () => Promise.resolve(opened),
    });
    return { status, out: out.join("\n"), err, asked };
  };
  const good = { "validation/reach": REACH };
  const chosen = ["--only", "agent", "--only", "ports"];

  test("status 0 when every row holds; progress is beside the result", async () => {
    const { status, out, err, asked } = await run(chosen, good);
    expect([status, err]).toEqual([
      0,
      [`${NODE}: Open TCP ports: held`, `${NODE}: Portainer agent: held`],
    ]);
    expect(out).toMatch(/2 held, 0 not held, .*: valid$/);
    // Measured once, for both.
    expect(asked).toEqual(["validation/reach"]);
  });

  test("status 3 when one does not, or was not measured; --allow-unmeasured is about the latter", async () => {
    const bad = { "validation/reach": { ...REACH, agent: 0 } };
    expect((await run([...chosen, "--allow-unmeasured"], bad)).status).toBe(3);
    const portainer = ["--only", "portainer"];
    expect((await run(portainer, good)).status).toBe(3);
    expect((await run([...portainer, "--allow-unmeasured"], good)).status).toBe(0);
  });

  test("--json and --junit, without what is secret", async () => {
    const folder = mkdtempSync(join(tmpdir(), "docker-node-junit-"));
    const file = join(folder, "rows.xml");
    const leaky = { "validation/disk": { iops: 5000, seconds: 15, tool: "geheim" } };
    const { out } = await run(["--only", "iops", "--json", "--junit", file], leaky);
    const [row] = (JSON.parse(out) as { rows: Result[] }).rows;
    expect(row).toMatchObject({ state: "held", figure: "5000 IOPS for 15 s ([secret])" });
    expect(readFileSync(file, "utf8")).toMatch(/<system-out>5000 IOPS for 15 s \(\[secret\]\);/);
    rmSync(folder, { recursive: true });
  });

  test.each([
    [["--only", "speed"], /^row speed; allowed: docker, container, /],
    [["nope"], /^node nope; allowed: proj-docker02$/],
    [["--watch", "0"], /whole number of seconds/],
  ])("%j: status 2", async (args, said) => {
    const { status, err, asked } = await run(args);
    expect([status, asked]).toEqual([2, []]);
    expect(err[0]).toMatch(said);
  });

  test("--watch measures again, and Ctrl-C ends it", async () => {
    const { opened, asked } = stackWith(good, loadSettings(stackFile("prod")));
    let rounds = 0;
    const status = await runCommandLine(["validate", ...chosen, "--watch", "1"], {
      print: () => {
        if (++rounds === 2) process.emit("SIGINT");
      },
      warn: () => undefined,
      open: () => Promise.resolve(opened),
    });
    expect([status, asked]).toEqual([0, ["validation/reach", "validation/reach"]]);
  });

  test("--watch goes on until Ctrl-C; the last whole round counts", async () => {
    const controller = new AbortController();
    const statuses = [3, 0] as const;
    let round = 0;
    const one = () => {
      const status = statuses[round++];
      if (status !== undefined) return Promise.resolve(status);
      controller.abort(new Error("interrupted"));
      return Promise.reject(new Error("interrupted"));
    };
    expect(await repeat(one, 0.001, controller.signal)).toBe(0);
    expect(round).toBe(3);
    const broken = () =>
      round++ === 3 ? Promise.resolve(0 as const) : Promise.reject(new Error("gone"));
    await expect(repeat(broken, 0.001, signal)).rejects.toThrow("gone");
    expect(await repeat(() => Promise.resolve(3), undefined, signal)).toBe(3);
  });
});

describe("Portainer", () => {
  let server: Server;
  let url: string;
  const requests: string[] = [];
  beforeAll(async () => {
    const environments = [{ Id: 7, Name: NODE, Type: 2, URL: "tcp://10.25.20.24:9001" }];
    server = createServer(({ url: path = "", headers }, answer) => {
      requests.push(path);
      if (headers["x-api-key"] !== "key") answer.statusCode = 401;
      answer.end(
        JSON.stringify(path.startsWith("/api/endpoints?") ? environments : [{ Id: "abc" }]),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    server.close();
  });
  const open = (key: string, at = url) =>
    connect(accessFrom({ PORTAINER_URL: at, PORTAINER_API_KEY: key }));

  test("is asked for the containers of the environment with the node's agent", async () => {
    expect(await open("key").containers({ url: "https://10.25.20.24:9001" })).toEqual(["abc"]);
    expect(requests).toEqual([
      "/api/endpoints?start=1&limit=100&excludeSnapshots=true",
      "/api/endpoints/7/docker/containers/json?all=true",
    ]);
  });

  test("is the stack's, unless the environment names another one", async () => {
    const opened = openedWith(loadSettings(prodWith({})), {
      shell: () => ({}) as never,
      portainer: () => ({ url, apiKey: "key" }),
    });
    const drift = () => Promise.reject(new Error());
    const containers = (environment: NodeJS.ProcessEnv) =>
      subjectOf(NODE, node, { opened, drift, environment })
        .portainer()
        .containers({ url: "https://10.25.20.24:9001" });
    expect(await containers({})).toEqual(["abc"]);
    const other = { PORTAINER_URL: url, PORTAINER_API_KEY: "wrong" };
    await expect(containers(other)).rejects.toThrow("answers 401");
    expect(() => containers({ PORTAINER_API_KEY: "key" })).toThrow("are not set");
  });

  test("that refuses, does not know the node, or does not answer says so", async () => {
    const agent = { url: "https://10.25.20.24:9001" };
    await expect(open("wrong").containers(agent)).rejects.toThrow("answers 401: the API key");
    await expect(open("key").containers({ url: "https://10.25.20.99:9001" })).rejects.toThrow(
      "no environment with the agent 10.25.20.99:9001",
    );
    const silent = open("key", "http://127.0.0.1:1");
    expect(() => open("key", "port01:x")).toThrow(/^PORTAINER_URL: port01:x; allowed: a URL,/);
    await expect(silent.containers(agent)).rejects.toThrow("http://127.0.0.1:1 cannot be reached");
  });
});
