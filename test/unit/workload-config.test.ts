import { inOrder } from "../../config/workloads";
import { problems, prodNode, prodWith } from "../support/settings";
import { IMAGE, NETWORK, withWeb } from "../support/workloads";

/** What a node takes as a workload, and what it says of the rest. */

const said = (override: object): string[] => problems(prodWith(override));
const on = { networks: { [NETWORK]: {} } };
const web = "nodes.proj-docker02.workloads.web";

test("says nothing but its image, and is confined in every way", () => {
  expect(prodNode(withWeb()).workloads.web).toEqual({
    image: IMAGE,
    ...{ networks: {}, ports: [], volumes: {}, binds: [], env: {}, secrets: {}, labels: {} },
    tmpfs: [{ path: "/tmp", sizeMiB: 64 }],
    user: "65534:65534",
    capabilities: [],
    readOnlyRoot: true,
    limits: { memoryMiB: 256, cpus: 1, processes: 256 },
    ...{ restart: "unless-stopped", readySeconds: 120, stopSeconds: 10, dependsOn: [] },
    ...{ reaches: [], hosts: {} },
  });
});

test("defaults of a stack hold for the workloads of every node", () => {
  const raw = prodWith({ workloads: { web: { image: IMAGE } } });
  const defaults = {
    ...(raw.defaults as object),
    workloads: { web: { ...on, env: { LOG: "info" } } },
  };
  expect(problems({ ...raw, defaults })).toEqual([]);
});

/** [what, the workload `web`, the rest of the node, the only problem below `web`] */
const REFUSED: [string, object, object, string][] = [
  [
    "an image without a digest",
    { image: "registry.example.org/platform/web:1.2" },
    {},
    'image: "registry.example.org/platform/web:1.2"; allowed: an image with version and digest, such as docker.io/portainer/agent:2.39.1@sha256:<64 hex digits>',
  ],
  [
    "a user by name",
    { user: "www-data" },
    {},
    'user: "www-data"; allowed: a user id, or user and group id, such as "65534:65534"',
  ],
  [
    "every capability",
    { capabilities: ["ALL"] },
    {},
    'capabilities.0: "ALL"; allowed: a capability without CAP_, such as NET_BIND_SERVICE; ALL is none',
  ],
  [
    "a network that is not declared",
    { networks: { lost: {} } },
    {},
    'networks.lost: "lost"; allowed: a network of the node: development-secondary, astronomy-compute-secondary',
  ],
  [
    "a volume that is not declared",
    { volumes: { lost: { path: "/data" } } },
    {},
    'volumes.lost: "lost"; allowed: a volume of the node: there is none',
  ],
  [
    "every address",
    { ...on, ports: [{ port: 80, containerPort: 8080, address: "0.0.0.0" }] },
    {},
    'ports.0.address: "0.0.0.0"; allowed: an address of the node: 10.25.20.24, 127.0.0.1',
  ],
  [
    "the address of another machine",
    { ...on, ports: [{ port: 80, containerPort: 8080, address: "10.25.20.23" }] },
    {},
    'ports.0.address: "10.25.20.23"; allowed: an address of the node: 10.25.20.24, 127.0.0.1',
  ],
  [
    "sshd's port",
    { ...on, ports: [{ port: 22, containerPort: 22 }] },
    {},
    "ports.0.port: 22; allowed: a free port of 10.25.20.24; sshd has this one",
  ],
  [
    "the agent's port",
    { ...on, ports: [{ port: 9001, containerPort: 80 }] },
    {},
    "ports.0.port: 9001; allowed: a free port of 10.25.20.24; the Portainer agent has this one",
  ],
  [
    "the port of dockerd's metrics",
    { ...on, ports: [{ port: 9323, containerPort: 80 }] },
    { monitoring: null, engine: { daemon: { "metrics-addr": "10.25.20.24:9323" } } },
    "ports.0.port: 9323; allowed: a free port of 10.25.20.24; monitoring has this one",
  ],
  [
    "a port of monitoring that dockerd is going to have",
    { ...on, ports: [{ port: 9324, containerPort: 80 }] },
    {
      monitoring: { docker: { port: 9324 }, scrapers: ["10.25.10.13"] },
      engine: { daemon: { "metrics-addr": null } },
    },
    "ports.0.port: 9324; allowed: a free port of 10.25.20.24; monitoring has this one",
  ],
  [
    "a port that dockerd has at loopback",
    { ...on, ports: [{ port: 9324, containerPort: 80, address: "127.0.0.1" }] },
    { monitoring: null, engine: { daemon: { "metrics-addr": "127.0.0.1:9324" } } },
    "ports.0.port: 9324; allowed: a free port of 127.0.0.1; monitoring has this one",
  ],
  [
    "a port twice",
    { ...on, ports: [1, 2].map((containerPort) => ({ port: 80, containerPort })) },
    {},
    "ports.1.port: 80; allowed: a free port of 10.25.20.24; workload web has this one",
  ],
  [
    "a port without a network",
    { ports: [{ port: 80, containerPort: 8080 }] },
    {},
    "networks: []; allowed: with ports, a bridge network among them that is not internal",
  ],
  [
    "a port on an internal network",
    { networks: { hidden: {} }, ports: [{ port: 80, containerPort: 8080 }] },
    { networks: { hidden: { subnet: "172.20.0.0/24", internal: true } } },
    'networks: ["hidden"]; allowed: with ports, a bridge network among them that is not internal',
  ],
  [
    "two mounts at one path",
    { binds: [{ source: "/srv/web", path: "/tmp" }] },
    {},
    'binds.0.path: "/tmp"; allowed: a path apart from /tmp (tmpfs.0.path)',
  ],
  [
    "a mount inside a bind",
    {
      binds: [
        { source: "/srv/web", path: "/www" },
        { source: "/srv/img", path: "/www/img" },
      ],
    },
    {},
    'binds.1.path: "/www/img"; allowed: a path apart from /www (binds.0.path)',
  ],
  [
    "a bind over its secrets",
    { secrets: { db: "web-db" }, binds: [{ source: "/srv/web", path: "/run/secrets" }] },
    {},
    'binds.0.path: "/run/secrets"; allowed: a path apart from /run/secrets (secrets)',
  ],
  [
    "secrets of other workloads",
    { binds: [{ source: "/var/lib/docker-node/secrets", path: "/all" }] },
    {},
    'binds.0.source: "/var/lib/docker-node/secrets"; allowed: a path outside /var/lib/docker-node',
  ],
  [
    "more processors than there are",
    { limits: { cpus: 7 } },
    {},
    "limits.cpus: 7; allowed: at most 6, the cores of the machine",
  ],
  [
    "more memory than there is",
    { limits: { memoryMiB: 32769 } },
    {},
    "limits.memoryMiB: 32769; allowed: at most 32768, the memory of the machine",
  ],
  [
    "a user that a remapped container cannot have",
    { user: "65536" },
    {},
    'user: "65536"; allowed: ids up to 65535: with userns-remap there are no others in a container',
  ],
  [
    "such a group",
    { user: "65534:70000" },
    {},
    'user: "65534:70000"; allowed: ids up to 65535: with userns-remap there are no others in a container',
  ],
  [
    "itself as a condition",
    { dependsOn: ["web"] },
    {},
    'dependsOn.0: "web"; allowed: another workload of the node: there is none',
  ],
  [
    "the program's label",
    { labels: { "docker-node.workload": "other" } },
    {},
    "labels.docker-node.workload: \"other\"; allowed: a label that is not the program's or Docker's own",
  ],
  [
    "privileges",
    { privileged: true },
    {},
    "privileged: true; allowed: not a key of this section; leave it out: capabilities names what a workload needs",
  ],
];

test.each(REFUSED)("%s is refused", (_what, workload, node, problem) => {
  expect(said(withWeb(workload, node))).toEqual([`${web}.${problem}`]);
});

test("without userns-remap there are more users", () => {
  const node = { engine: { daemon: { "userns-remap": null } } };
  const found = said(withWeb({ user: "70000:99999" }, node)).join();
  expect(found).not.toContain("ids up to");
  expect(found).not.toContain("workloads.web.user");
});

test("a name that DNS has no word for is refused, the program's containers' among them", () => {
  expect(said({ workloads: { portainer_agent: { image: IMAGE } } })[0]).toMatch(
    /workloads.portainer_agent: .*as the key: a host name/,
  );
});

test("a name on a network leads to one workload", () => {
  const mine = { image: IMAGE, networks: { [NETWORK]: { aliases: ["db"] } } };
  expect(said({ workloads: { web: mine, db: { image: IMAGE, ...on } } })).toEqual([
    `nodes.proj-docker02.workloads.db.networks.${NETWORK}.aliases: "db"; allowed: names of its own; web has this one`,
  ]);
});

test("the same port on loopback, or of another protocol, is another one", () => {
  const port = { port: 80, containerPort: 8080 };
  const ports = [port, { ...port, address: "127.0.0.1" }, { ...port, protocol: "udp" }];
  expect(said(withWeb({ ...on, ports }))).toEqual([]);
});

test("a mount in a folder in memory stays one", () => {
  const tmpfs = [{ path: "/run" }];
  expect(said(withWeb({ tmpfs, secrets: { db: "web-db" } }))).toEqual([]);
});

test("a circle of dependencies is refused at each of its parts, and only there", () => {
  const after = (...dependsOn: string[]): object => ({ image: IMAGE, dependsOn });
  const workloads = { a: after("b"), b: after("c"), c: after("b"), d: after("a") };
  expect(said({ workloads }).map((line) => line.replace(/.*workloads\./, ""))).toEqual([
    'b.dependsOn.0: "c"; allowed: a workload that does not wait for b itself',
    'c.dependsOn.0: "b"; allowed: a workload that does not wait for c itself',
  ]);
});

test("workloads come after those that they wait for, whatever their order in the file", () => {
  const workloads = {
    web: { image: IMAGE, dependsOn: ["api"] },
    api: { image: IMAGE, dependsOn: ["db"] },
    db: { image: IMAGE },
  };
  expect(inOrder(prodNode({ workloads })).map(([name]) => name)).toEqual(["db", "api", "web"]);
});
