/** `docker-node benchmark`: each check on both sides, waivers, the official script's results, and what people are told. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameOf, readFacts, type Facts } from "../../commands/benchmark/facts";
import { dropDeclaredPorts } from "../../commands/benchmark/ports";
import { judge, findUnusedWaivers, waive, type Judged } from "../../commands/benchmark/judge";
import { parseJudgements } from "../../commands/benchmark/official";
import { countResults } from "../../commands/benchmark/report";
import { runCommandLine } from "../../commands/cli";
import { loadSettings } from "../../config/load";
import { merge } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import type { Waiver } from "../../config/schema/waivers";
import { BENCHMARK, waiverIdOf } from "../../config/waivers/benchmark";
import type { ShellVariables } from "../../node/scripts";
import { openedWith } from "../support/opened";
import { problems, prodWith, stackFile, waiver } from "../support/settings";
import { withWeb } from "../support/workloads";

const NODE = "proj-docker02";
const ROOT = "/var/lib/docker/165536.165536";

const file = (path: string, mode: number, group = "root", real = path): object => ({
  ...{ path, real, mode, owner: "root", group },
  type: path.endsWith("sock") ? "socket" : "file",
});

const CONTAINER = {
  Name: "/web",
  Image: "sha256:0123456789abcdef",
  AppArmorProfile: "docker-default",
  State: { Health: { Status: "healthy" } },
  Config: { User: "1000" },
  HostConfig: {
    SecurityOpt: ["no-new-privileges"],
    ReadonlyRootfs: true,
    NetworkMode: "development-secondary",
    UsernsMode: "",
    Memory: 268435456,
    NanoCpus: 500000000,
    PidsLimit: 100,
    RestartPolicy: { Name: "always", MaximumRetryCount: 0 },
  },
  NetworkSettings: {
    Ports: { "80/tcp": null },
    Networks: { "development-secondary": {} },
  },
  Mounts: [{ Source: "/var/lib/docker/volumes/data/_data", Propagation: "rprivate" }],
};

/** A node on which every check is met. */
const GOOD = {
  command: ["/usr/bin/dockerd", "-H", "fd://"],
  config: {
    "userland-proxy": false,
    "default-ulimits": { nofile: { Name: "nofile", Soft: 65536, Hard: 65536 } },
    ...{ tlscacert: "/etc/docker/ca.pem", tlscert: "/etc/docker/cert.pem" },
    tlskey: "/etc/docker/key.pem",
  },
  info: {
    Driver: "overlay2",
    DockerRootDir: ROOT,
    LoggingDriver: "syslog",
    LiveRestoreEnabled: true,
    ExperimentalBuild: false,
    SecurityOptions: [
      "name=apparmor",
      "name=seccomp,profile=builtin",
      "name=userns",
      "name=no-new-privileges",
    ],
    Swarm: { LocalNodeState: "inactive" },
    Plugins: { Authorization: ["opa"] },
    RegistryConfig: {
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8"],
      IndexConfigs: { "docker.io": { Secure: true } },
    },
  },
  bridge: [{ Options: { "com.docker.network.bridge.enable_icc": "false" } }],
  files: [
    file("/usr/bin/dockerd", 0o755),
    file("/usr/bin/containerd", 0o755),
    file("/usr/bin/containerd-shim", 0o755),
    file("/usr/bin/containerd-shim-runc-v1", 0o755),
    file("/usr/bin/containerd-shim-runc-v2", 0o755),
    file("/usr/sbin/runc", 0o755),
    file(
      "/lib/systemd/system/docker.service",
      0o644,
      "root",
      "/usr/lib/systemd/system/docker.service",
    ),
    file(
      "/lib/systemd/system/docker.socket",
      0o644,
      "root",
      "/usr/lib/systemd/system/docker.socket",
    ),
    file("/run/docker.sock", 0o660, "docker"),
    file("/run/containerd", 0o711),
    file("/run/containerd/containerd.sock", 0o660),
    file("/etc/docker", 0o755),
    file("/etc/docker/daemon.json", 0o600),
    file("/etc/docker/certs.d/registry/ca.crt", 0o444),
    file("/etc/docker/ca.pem", 0o444),
    file("/etc/docker/cert.pem", 0o444),
    file("/etc/docker/key.pem", 0o400),
    file("/etc/default/docker", 0o644),
    file("/etc/sysconfig/docker", 0o644),
    file("/etc/containerd/config.toml", 0o644),
  ],
  audited: [
    ...["dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v1"].map(
      (name) => `/usr/bin/${name}`,
    ),
    ...["/usr/bin/containerd-shim-runc-v2", "/usr/sbin/runc", "/var/lib/docker", "/etc/docker"],
    ...["/usr/lib/systemd/system/docker.service", "/usr/lib/systemd/system/docker.socket"],
    ...["/run/containerd", "/etc/default/docker", "/etc/sysconfig/docker", "/etc/containerd"],
  ],
  mounts: ["/", "/var/lib/docker"],
  group: [],
  contentTrust: true,
  containers: [CONTAINER],
  volumes: [],
  images: [
    {
      Id: CONTAINER.Image,
      RepoTags: ["web:1"],
      Config: { Healthcheck: { Test: ["CMD", "true"] } },
    },
  ],
};

const without = (...paths: string[]): object => ({
  audited: GOOD.audited.filter((path) => !paths.includes(path)),
});
const changed = (path: string, change: object): object => ({
  files: (GOOD.files as { path: string }[]).map((one) =>
    one.path.endsWith(path) ? { ...one, ...change } : one,
  ),
});
const web = (change: object): object => ({ containers: [merge(CONTAINER, change)] });
const host = (change: object): object => web({ HostConfig: change });
const info = (change: object): object => ({ info: change });
const config = (change: object): object => ({ config: change });
const theirs = { owner: "ubuntu" };
const AUDIT = "no audit rule for ";

/** [id, what is wrong on the node, what is found] */
const BAD: [id: string, change: object, found: string][] = [
  ["1.1.1", { mounts: ["/", "/var/lib/dock"] }, `${ROOT} is on the root file system`],
  ["1.1.3", without("/usr/bin/dockerd"), `${AUDIT}/usr/bin/dockerd`],
  ["1.1.4", without("/run/containerd"), `${AUDIT}/run/containerd`],
  ["1.1.5", without("/var/lib/docker"), `${AUDIT}${ROOT}`],
  ["1.1.6", without("/etc/docker"), `${AUDIT}/etc/docker`],
  [
    "1.1.7",
    without("/usr/lib/systemd/system/docker.service"),
    `${AUDIT}/lib/systemd/system/docker.service`,
  ],
  ["1.1.8", without("/run/containerd"), `${AUDIT}/run/containerd/containerd.sock`],
  [
    "1.1.9",
    without("/usr/lib/systemd/system/docker.socket"),
    `${AUDIT}/lib/systemd/system/docker.socket`,
  ],
  ["1.1.10", without("/etc/default/docker"), `${AUDIT}/etc/default/docker`],
  ["1.1.11", without("/etc/docker"), `${AUDIT}/etc/docker/daemon.json`],
  ["1.1.12", without("/etc/containerd"), `${AUDIT}/etc/containerd/config.toml`],
  ["1.1.13", without("/etc/sysconfig/docker"), `${AUDIT}/etc/sysconfig/docker`],
  ["1.1.14", without("/usr/bin/containerd"), `${AUDIT}/usr/bin/containerd`],
  ["1.1.15", without("/usr/bin/containerd-shim"), `${AUDIT}/usr/bin/containerd-shim`],
  [
    "1.1.16",
    without("/usr/bin/containerd-shim-runc-v1"),
    `${AUDIT}/usr/bin/containerd-shim-runc-v1`,
  ],
  [
    "1.1.17",
    without("/usr/bin/containerd-shim-runc-v2"),
    `${AUDIT}/usr/bin/containerd-shim-runc-v2`,
  ],
  // The benchmark's own path has a rule; the program is elsewhere.
  [
    "1.1.18",
    { audited: [...GOOD.audited.filter((path) => path !== "/usr/sbin/runc"), "/usr/bin/runc"] },
    `${AUDIT}/usr/sbin/runc`,
  ],
  ["2.2", { bridge: [{ Options: {} }] }, "icc is on"],
  ["2.3", { command: ["dockerd", "--log-level=debug"] }, "log-level is debug"],
  ["2.4", config({ iptables: false }), "iptables is false"],
  [
    "2.5",
    info({ RegistryConfig: { IndexConfigs: { "registry:5000": { Secure: false } } } }),
    "insecure: registry:5000",
  ],
  ["2.6", info({ Driver: "aufs" }), "the storage driver is aufs"],
  [
    "2.7",
    { command: ["dockerd", "-H", "tcp://0.0.0.0:2375"] },
    "tcp://0.0.0.0:2375 without tlsverify",
  ],
  [
    "2.7",
    config({ hosts: ["tcp://0.0.0.0:2376"], tlsverify: false }),
    "tcp://0.0.0.0:2376 without tlsverify",
  ],
  ["2.8", config({ "default-ulimits": undefined }), "no default-ulimits"],
  ["2.8", config({ "default-ulimits": { nofile: null } }), "no default-ulimits"],
  ["2.9", info({ SecurityOptions: ["name=no-new-privileges"] }), "no userns-remap"],
  ["2.10", config({ "cgroup-parent": "/mine" }), "cgroup-parent is /mine"],
  ["2.11", config({ "storage-opts": ["dm.basesize=20G"] }), "dm.basesize is set"],
  ["2.12", info({ Plugins: { Authorization: null } }), "no authorisation plugin"],
  ["2.13", info({ LoggingDriver: "json-file" }), "the log driver is json-file"],
  ["2.14", info({ SecurityOptions: ["name=userns"] }), "no-new-privileges is off"],
  ["2.15", info({ LiveRestoreEnabled: false }), "live-restore is off"],
  ["2.16", config({ "userland-proxy": undefined }), "userland-proxy is true"],
  ["2.18", info({ ExperimentalBuild: true }), "experimental is on"],
  [
    "3.1",
    changed("docker.service", theirs),
    "/lib/systemd/system/docker.service belongs to ubuntu:root",
  ],
  ["3.2", changed("docker.service", { mode: 0o664 }), "/lib/systemd/system/docker.service is 664"],
  [
    "3.3",
    changed("docker.socket", theirs),
    "/lib/systemd/system/docker.socket belongs to ubuntu:root",
  ],
  ["3.4", changed("docker.socket", { mode: 0o645 }), "/lib/systemd/system/docker.socket is 645"],
  ["3.5", changed("/etc/docker", theirs), "/etc/docker belongs to ubuntu:root"],
  ["3.6", changed("/etc/docker", { mode: 0o775 }), "/etc/docker is 775"],
  [
    "3.7",
    changed("registry/ca.crt", theirs),
    "/etc/docker/certs.d/registry/ca.crt belongs to ubuntu:root",
  ],
  [
    "3.8",
    changed("registry/ca.crt", { mode: 0o644 }),
    "/etc/docker/certs.d/registry/ca.crt is 644",
  ],
  ["3.9", changed("/ca.pem", theirs), "/etc/docker/ca.pem belongs to ubuntu:root"],
  ["3.10", changed("/ca.pem", { mode: 0o644 }), "/etc/docker/ca.pem is 644"],
  ["3.11", changed("/cert.pem", theirs), "/etc/docker/cert.pem belongs to ubuntu:root"],
  ["3.12", changed("/cert.pem", { mode: 0o644 }), "/etc/docker/cert.pem is 644"],
  ["3.13", changed("/key.pem", theirs), "/etc/docker/key.pem belongs to ubuntu:root"],
  ["3.14", changed("/key.pem", { mode: 0o440 }), "/etc/docker/key.pem is 440"],
  ["3.15", changed("docker.sock", { group: "users" }), "/run/docker.sock belongs to root:users"],
  ["3.16", changed("docker.sock", { mode: 0o666 }), "/run/docker.sock is 666"],
  ["3.17", changed("daemon.json", theirs), "/etc/docker/daemon.json belongs to ubuntu:root"],
  ["3.18", changed("daemon.json", { mode: 0o646 }), "/etc/docker/daemon.json is 646"],
  ["3.19", changed("default/docker", theirs), "/etc/default/docker belongs to ubuntu:root"],
  ["3.20", changed("default/docker", { mode: 0o664 }), "/etc/default/docker is 664"],
  ["3.21", changed("sysconfig/docker", { mode: 0o664 }), "/etc/sysconfig/docker is 664"],
  ["3.22", changed("sysconfig/docker", theirs), "/etc/sysconfig/docker belongs to ubuntu:root"],
  [
    "3.23",
    changed("containerd.sock", theirs),
    "/run/containerd/containerd.sock belongs to ubuntu:root",
  ],
  ["3.24", changed("containerd.sock", { mode: 0o666 }), "/run/containerd/containerd.sock is 666"],
  ["4.1", web({ Config: { User: "" } }), "web: runs as root"],
  ["4.5", { contentTrust: false }, "DOCKER_CONTENT_TRUST is not 1"],
  [
    "4.6",
    { images: [{ Id: CONTAINER.Image, RepoTags: ["web:1"], Config: null }] },
    "web: no health check in web:1",
  ],
  ["5.1", info({ Swarm: { LocalNodeState: "active" } }), "swarm is active"],
  ["5.2", web({ AppArmorProfile: "unconfined" }), "web: AppArmor: unconfined"],
  ["5.3", host({ SecurityOpt: null }), "web: no security options"],
  ["5.4", host({ CapAdd: ["NET_ADMIN"] }), "web: added: NET_ADMIN"],
  ["5.5", host({ Privileged: true }), "web: privileged"],
  ["5.6", web({ Mounts: [{ Source: "/etc" }] }), "web: mounts /etc"],
  ["5.6", web({ Mounts: [{ Source: "/var" }, { Source: "/root" }] }), "web: mounts /var, /root"],
  [
    "5.6",
    {
      ...web({ Mounts: [{ Name: "v", Source: "/var/lib/docker/volumes/v/_data" }] }),
      volumes: [{ name: "v", device: "/" }],
    },
    "web: mounts /",
  ],
  [
    "5.8",
    web({ NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "10.25.20.24", HostPort: "80" }] } } }),
    "web: publishes 80",
  ],
  [
    "5.9",
    web({ NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "::1", HostPort: "8081" }] } } }),
    "web: publishes 8081",
  ],
  ["5.10", host({ NetworkMode: "host" }), "web: has the host's network"],
  ["5.11", host({ Memory: 0 }), "web: no memory limit"],
  ["5.12", host({ NanoCpus: 0 }), "web: neither CPU shares nor limit"],
  ["5.13", host({ ReadonlyRootfs: false }), "web: its root is writable"],
  [
    "5.14",
    web({
      NetworkSettings: {
        Ports: {
          "80/tcp": [
            { HostIp: "0.0.0.0", HostPort: "8080" },
            { HostIp: "::", HostPort: "8080" },
          ],
        },
      },
    }),
    "web: publishes on all addresses: 8080",
  ],
  [
    "5.15",
    host({ RestartPolicy: { Name: "on-failure", MaximumRetryCount: 9 } }),
    "web: restarted 9 times",
  ],
  ["5.16", host({ PidMode: "host" }), "web: sees the host's processes"],
  ["5.17", host({ IpcMode: "host" }), "web: has the host's IPC"],
  ["5.18", host({ Devices: [{ PathOnHost: "/dev/kvm" }] }), "web: has devices of the host"],
  ["5.20", web({ Mounts: [{ Source: "/srv", Propagation: "rshared" }] }), "web: a mount is shared"],
  ["5.21", host({ UTSMode: "host" }), "web: has the host's name"],
  ["5.22", host({ SecurityOpt: ["seccomp=unconfined"] }), "web: seccomp is off"],
  ["5.25", host({ CgroupParent: "/mine" }), "web: in /mine"],
  [
    "5.26",
    { ...info({ SecurityOptions: ["name=userns"] }), ...host({ SecurityOpt: ["apparmor=x"] }) },
    "web: no-new-privileges is off",
  ],
  ["5.27", web({ State: { Health: null } }), "web: no health check"],
  ["5.29", host({ PidsLimit: -1 }), "web: no limit of processes"],
  ["5.30", web({ NetworkSettings: { Networks: { bridge: {} } } }), "web: on docker0"],
  ["5.31", host({ UsernsMode: "host" }), "web: root in it is root of the host"],
  [
    "5.32",
    web({ Mounts: [{ Source: "/var/run/docker.sock" }] }),
    "web: mounts /var/run/docker.sock",
  ],
  ["5.32", web({ Mounts: [{ Source: "/run/containerd" }] }), "web: mounts /run/containerd"],
];

/** Lists are replaced, maps are merged; what is undefined is gone. */
const factsWith = (change: object): Facts => merge(GOOD, change) as Facts;

describe("checks", () => {
  test("a node that meets them all", () => {
    const judged = judge(factsWith({}));
    expect(judged.filter(({ state }) => state === "warn")).toEqual([]);
    expect(judged.filter(({ state }) => state === "pass")).toHaveLength(
      BENCHMARK.filter(([, , of]) => of !== "person").length,
    );
  });

  test.each(BAD)("%s %j", (id, change, found) => {
    const one = judge(factsWith(change)).find((each) => each.id === id);
    expect(one?.state).toBe("warn");
    const lines = one?.findings.map(({ what, container }) =>
      container ? `${container}: ${what}` : what,
    );
    expect(lines).toEqual([found]);
  });

  test("each check that a program judges is tested here", () => {
    const judged = BENCHMARK.filter(([, , of]) => of !== "person").map(([id]) => id);
    expect([...new Set(BAD.map(([id]) => id))]).toEqual(judged);
  });

  test("a missing file or section passes its check", () => {
    const bare = { files: [], audited: [], containers: [], images: [], bridge: [] };
    const warned = judge(factsWith(bare)).filter(({ state }) => state === "warn");
    expect(warned.map(({ id }) => id)).toEqual(["1.1.5"]);
  });
});

describe("waivers", () => {
  const of = (id: string, terms: object = {}): Waiver => waiver(waiverIdOf(id), terms) as Waiver;
  const two: Judged = {
    ...{ id: "5.31", title: "own user namespace", state: "warn" },
    findings: ["agent", "backup"].map((container) => ({ what: "root", container })),
  };

  test("a check is waived when each of its findings is", () => {
    const agent = of("5.31", { container: "agent" });
    const backup = of("5.31", { container: "backup", node: NODE });
    expect(waive(NODE, two, [agent])).toMatchObject({ state: "warn", open: [two.findings[1]] });
    expect(waive(NODE, two, [agent, backup])).toMatchObject({ state: "waived", open: [] });
    expect(waive("other", two, [agent, backup]).state).toBe("warn");
    expect(waive(NODE, two, [of("5.32")]).state).toBe("warn");
    expect(waive(NODE, { ...two, state: "pass", findings: [] }, [agent])).toMatchObject({
      ...{ state: "pass", waivers: [] },
    });
  });

  test("a waiver that nothing needs is reported, if everything it could cover was judged", () => {
    const [mine, all] = [of("5.5", { node: NODE }), of("5.4")];
    const results = [waive(NODE, { ...two, id: "5.5", findings: [], state: "pass" }, [mine, all])];
    expect(findUnusedWaivers(results, [mine, all], [NODE])).toEqual([mine, all]);
    expect(findUnusedWaivers(results, [mine, all], [NODE, "other"])).toEqual([mine]);
    // The loader tells of all others.
    expect(findUnusedWaivers(results, [waiver("daemon-icc") as Waiver], [NODE])).toEqual([]);
  });

  test("a workload is named as in the stack file: its container has another name after each change", () => {
    const Labels = { "docker-node.workload": "web" };
    const Config = { User: "1000", Labels };
    expect(nameOf({ Name: "/n-workload-web-1a2b3c4", Config })).toBe("web");
    expect(nameOf({ Name: "/other", Config: { Labels: {} } })).toBe("other");
  });

  test("are read with the stack file: known ids, and a container only where one can be named", () => {
    const raw = (id: string, terms: object = {}) => ({
      ...stackFile("prod"),
      waivers: [waiver(id, terms)],
    });
    expect(problems(raw("cis-docker-5.31", { container: "portainer_agent" }))).toEqual([]);
    expect(problems(raw("cis-docker-2.12"))).toEqual([]);
    expect(problems(raw("cis-docker-2.12", { container: "portainer_agent" }))[0]).toContain(
      "leave it out with cis-docker-2.12, which is not of a container",
    );
    // A person's judgement takes none.
    expect(problems(raw("cis-docker-5.28"))[0]).toMatch(/^waivers\.0\.id: "cis-docker-5\.28"/);
  });
});

const OFFICIAL = JSON.stringify({
  dockerbenchsecurity: "1.6.0",
  tests: [
    {
      id: "2",
      results: [
        { id: "2.2", desc: "Network traffic (Scored)", result: "PASS" },
        { id: "2.12", desc: "Authorization (Scored)", result: "WARN" },
        {
          id: "5.28",
          desc: "Newest (Manual)",
          result: "INFO",
          details: "look: a b",
          items: ["a", "b"],
        },
        {
          id: "5.31",
          desc: "Namespaces (Automated)",
          result: "WARN",
          details: "Sharing:  agent web",
          items: ["agent", "web"],
        },
        {
          id: "5.9",
          desc: "Needed ports (Manual)",
          result: "WARN",
          details: "Open ports:  portainer_agent:9001 web:8080",
          items: ["portainer_agent:9001", "web:8080"],
        },
        {
          id: "4.6",
          desc: "Health",
          result: "WARN",
          details: "No check:  [web:1]",
          items: ["[web:1]"],
        },
      ],
    },
  ],
  checks: 4,
  score: 0,
});

describe("a port", () => {
  const Ports = { "80/tcp": [{ HostIp: "10.25.20.24", HostPort: "8080" }] };
  const judged = judge(factsWith(web({ NetworkSettings: { Ports } })));
  const published = judged.find(({ id }) => id === "5.9");
  const node = (override: object): NodeConfig =>
    loadSettings(prodWith(override)).nodes[NODE] as NodeConfig;
  const drop = (override: object): unknown =>
    published && dropDeclaredPorts(published, node(override)).findings;

  test("that the stack file declares is needed, and no other", () => {
    const found = { what: "publishes 8080", container: "web", port: 8080 };
    const network = { networks: { "development-secondary": {} } };
    const ports = (port: number): object =>
      withWeb({ ...network, ports: [{ port, containerPort: 80 }] });
    expect(drop({})).toEqual([found]);
    expect(drop(ports(8081))).toEqual([found]);
    expect(drop(ports(8080))).toEqual([]);
  });

  test("of the program's own containers is declared with them", () => {
    const findings = [
      { what: "", container: "portainer_agent", port: 9001 },
      { what: "", container: "docker_node_cadvisor", port: 9101 },
    ];
    const judged: Judged = { id: "5.9", title: "", state: "warn", findings };
    expect(dropDeclaredPorts(judged, node({}))).toMatchObject({ state: "pass", findings: [] });
    expect(dropDeclaredPorts(judged, node({ portainer: { agent: { port: 9002 } } }))).toMatchObject(
      {
        state: "warn",
        findings: [findings[0]],
      },
    );
  });

  test("of the agent with the next secret is declared as well, and none of one that reaches Portainer", () => {
    const findings = [
      { what: "", container: "portainer_agent", port: 9001 },
      { what: "", container: "portainer_agent_next", port: 9002 },
    ];
    const judged: Judged = { id: "5.9", title: "", state: "warn", findings };
    const drop = (portainer: object): unknown =>
      dropDeclaredPorts(judged, node({ portainer })).findings;
    expect(drop({ agent: { next: { port: 9002 } } })).toEqual([]);
    expect(drop({})).toEqual([findings[1]]);
    const environment = { url: "https://port01.example.org" };
    expect(drop({ environment, edge: {} })).toEqual(findings);
  });
});

describe("the official script", () => {
  test("its results are read into our own form", () => {
    expect(parseJudgements(OFFICIAL)).toEqual([
      { id: "2.2", title: "Network traffic (Scored)", state: "pass", findings: [] },
      {
        id: "2.12",
        title: "Authorization (Scored)",
        state: "warn",
        findings: [{ what: "Authorization (Scored)" }],
      },
      { id: "5.28", title: "Newest", state: "person", findings: [] },
      {
        ...{ id: "5.31", title: "Namespaces", state: "warn" },
        findings: ["agent", "web"].map((container) => ({ what: "Sharing", container })),
      },
      {
        ...{ id: "5.9", title: "Needed ports", state: "warn" },
        findings: [
          { what: "Open ports: 9001", container: "portainer_agent", port: 9001 },
          { what: "Open ports: 8080", container: "web", port: 8080 },
        ],
      },
      {
        ...{ id: "4.6", title: "Health", state: "warn" },
        findings: [{ what: "No check", container: "[web:1]" }],
      },
    ]);
    expect(() => parseJudgements("[WARN] 2.12")).toThrow(
      "the answer to docker-bench-security is not JSON",
    );
  });
});

/** Production with waivers, and a node whose scripts answer. */
function stackWith(answers: Readonly<Record<string, string>>, waivers: object[]) {
  const asked: string[] = [];
  const settings = loadSettings({ ...stackFile("prod"), waivers });
  const script = (name: string, variables: ShellVariables): Promise<string> => {
    const call = [name, variables["ACTION"]].filter(Boolean).join(" ");
    asked.push(call);
    const answer = answers[call];
    return answer === undefined
      ? Promise.reject(new Error("10.25.20.24: Connection timed out"))
      : Promise.resolve(answer);
  };
  const feed = (command: readonly string[], from: { args: readonly string[] }): Promise<string> => {
    asked.push(`${command.join(" ")} < tar ${from.args.join(" ")}`);
    return Promise.resolve("");
  };
  const shell = () => ({ script, feed, shown: () => "" });
  return { opened: openedWith(settings, { shell }), asked };
}

describe("npx docker-node benchmark", () => {
  const run = async (
    args: string[],
    answers: Readonly<Record<string, string>> = {},
    waivers: object[] = [],
  ) => {
    const [out, err]: [string[], string[]] = [[], []];
    const { opened, asked } = stackWith(answers, waivers);
    const status = await runCommandLine(["benchmark", ...args], {
      print: (text) => out.push(text),
      warn: (text) => err.push(text),
      open: () => Promise.resolve(opened),
    });
    return { status, out: out.join("\n"), err, asked };
  };
  const answer = (change: object) => ({ "benchmark/facts": JSON.stringify(factsWith(change)) });
  const json = (id: string) => info({ LoggingDriver: id });

  test("status 0 when no warning is left", async () => {
    const { status, out, asked } = await run([], answer({}));
    expect([status, asked]).toEqual([0, ["benchmark/facts"]]);
    expect(out).toMatch(
      /^proj-docker02:\n {2}\d+ checks: \d+ passed, 0 warnings, 0 waived, 0 left; \d+ for a/,
    );
    expect((await run(["--all"], answer({}))).out).toMatch(
      /^ {2}✓ 5\.32 +Docker's socket is not mounted$/m,
    );
  });

  test("status 3 with a warning that no waiver stands for; 0 with one, which is told", async () => {
    const bad = await run([], answer(json("json-file")));
    expect(bad.status).toBe(3);
    expect(bad.out).toMatch(/✗ 2\.13 +logs leave the node +the log driver is json-file/);
    const waived = await run([], answer(json("json-file")), [waiver("cis-docker-2.13")]);
    expect(waived.status).toBe(0);
    expect(waived.out).toMatch(/~ 2\.13 .*json-file\n +waived until 20.* \(tests\): a test\n/);
    expect(waived.out).toMatch(/1 warnings, 1 waived, 0 left/);
  });

  test("status 3 with a waiver that nothing needs", async () => {
    const { status, out } = await run([], answer({}), [waiver("cis-docker-2.13")]);
    expect(status).toBe(3);
    expect(out).toMatch(/^waiver of cis-docker-2\.13 for all: nothing needs it; take it out$/m);
  });

  test("--json, without what is secret", async () => {
    const { out } = await run(["--json"], answer(json("local")), [
      waiver("cis-docker-2.13", { reason: "geheim" }),
    ]);
    const told = JSON.parse(out) as { checks: { id: string; state: string; waivers: Waiver[] }[] };
    expect(told).toMatchObject({ stack: "prod", raw: 1, waived: 1, net: 0, unused: [] });
    expect(told.checks.find(({ id }) => id === "2.13")).toMatchObject({
      ...{ state: "waived", waivers: [{ reason: "[secret]" }] },
    });
  });

  test("--script brings the official script, and takes its findings for ours", async () => {
    const folder = mkdtempSync(join(tmpdir(), "docker-node-benchmark-"));
    const script = join(folder, "docker-bench-security.sh");
    writeFileSync(script, "");
    const answers = {
      "benchmark/official prepare": "/var/tmp/docker-node-benchmark.x",
      "benchmark/official run": OFFICIAL,
    };
    const { status, out, asked } = await run(["--script", script], answers, [
      waiver("cis-docker-2.12"),
      waiver("cis-docker-2.13"),
    ]);
    rmSync(folder, { recursive: true });
    expect(status).toBe(3);
    // Whether a waiver is needed the script cannot tell.
    expect(out).not.toContain("nothing needs it");
    expect(out).toMatch(/✗ 5\.31 +Namespaces +agent: Sharing\n +web: Sharing/);
    expect(out).toMatch(/✗ 5\.9 +Needed ports +web: Open ports: 8080$/m);
    expect(out).toMatch(/6 checks: 1 passed, 4 warnings, 1 waived, 3 left; 1 for a person/);
    expect(asked).toEqual([
      "benchmark/official prepare",
      expect.stringMatching(`^tar --extract .* < tar --directory ${folder} --create`),
      "benchmark/official run",
    ]);
  });

  test.each([
    [["nope"], /^node nope; allowed: proj-docker02$/],
    [["--script", "/nowhere.sh"], /^--script \/nowhere\.sh: no file; /],
  ])("%j: status 2", async (args, said) => {
    const { status, err, asked } = await run(args);
    expect([status, asked]).toEqual([2, []]);
    expect(err[0]).toMatch(said);
  });

  test("status 1 when a node does not answer", async () => {
    const { status, err } = await run([]);
    expect([status, err.join()]).toEqual([1, expect.stringContaining("Connection timed out")]);
  });
});

test("an answer of another shape is refused by field", async () => {
  const shell = { script: () => Promise.resolve('{"command":[]}') } as never;
  await expect(readFacts(shell)).rejects.toThrow(/benchmark\/facts\.sh is not as expected: config/);
  expect(countResults([])).toMatchObject({ checks: 0, net: 0 });
});
