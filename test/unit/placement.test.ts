import * as fc from "fast-check";
import { refuseMoves, tellPlacements } from "../../clients/pulumi/placements";
import { loadSettings, merge, type RawSettings, type Settings } from "../../config/load";
import { rankNodes } from "../../config/placement/rank";
import { recordedNode } from "../../node/recorded";
import * as pulumi from "@pulumi/pulumi";
import { problems, prodWith } from "../support/settings";
import { IMAGE, NETWORK } from "../support/workloads";

/** On which nodes of a stack workloads run, and what of that is refused. */

const NODES = ["node-a", "node-b", "node-c"];

/** Production's node three times, with workloads of the stack. */
function fleet(workloads: object, over: object = {}, names = NODES): RawSettings {
  const { proxmox, defaults } = prodWith({});
  const nodes = names.map((name, index) => [
    name,
    merge(
      { machine: { vmId: 3000 + index }, network: { address: `10.25.20.${40 + index}/24` } },
      (over as Record<string, object>)[name] ?? {},
    ),
  ]);
  return { proxmox, defaults, nodes: Object.fromEntries(nodes), workloads };
}

const settingsOf = (...args: Parameters<typeof fleet>): Settings => loadSettings(fleet(...args));
const said = (...args: Parameters<typeof fleet>): string[] => problems(fleet(...args));
const nodesOf = (settings: Settings, workload: string): string[] =>
  Object.entries(settings.nodes).flatMap(([name, node]) =>
    workload in node.workloads ? [name] : [],
  );

describe("ranking", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 8 });

  test("is the same for the same nodes, in whatever order they stand", () => {
    fc.assert(
      fc.property(names, (nodes) => {
        expect(rankNodes("web", [...nodes].reverse())).toEqual(rankNodes("web", nodes));
      }),
    );
  });

  test("a node that is added moves nothing but to itself", () => {
    fc.assert(
      fc.property(names, (nodes) => {
        const [before] = rankNodes("web", nodes);
        expect([before, "NEW"]).toContain(rankNodes("web", [...nodes, "NEW"])[0]);
        expect(rankNodes("web", [...nodes, "NEW"]).filter((one) => one !== "NEW")).toEqual(
          rankNodes("web", nodes),
        );
      }),
    );
  });

  test("every node gets its share", () => {
    const first = Array.from({ length: 300 }, (_, index) => rankNodes(`w${index}`, NODES)[0]);
    for (const node of NODES) {
      const share = first.filter((one) => one === node).length;
      expect(share).toBeGreaterThan(60);
      expect(share).toBeLessThan(140);
    }
  });
});

describe("a workload of the stack", () => {
  test("runs on one node, and is a workload of it like any other", () => {
    const settings = settingsOf({ web: { image: IMAGE } });
    const [node = ""] = rankNodes("workloads.web", NODES);
    expect(nodesOf(settings, "web")).toEqual([node]);
    expect(settings.nodes[node]?.workloads.web).toMatchObject({ user: "65534:65534" });
    expect(settings.placements).toEqual([
      { name: "workloads.web", workloads: ["web"], nodes: [node], pinned: false, leaves: [] },
    ]);
  });

  test("is pinned by name", () => {
    const place = { node: "node-b" };
    expect(nodesOf(settingsOf({ web: { image: IMAGE, place } }), "web")).toEqual(["node-b"]);
  });

  test("goes where the labels are, as often as it is wanted", () => {
    const labels = { disk: "nvme" };
    const over = { "node-a": { labels }, "node-c": { labels } };
    const place = { labels, replicas: 2 };
    const settings = settingsOf({ web: { image: IMAGE, place } }, over);
    expect(nodesOf(settings, "web")).toEqual(["node-a", "node-c"]);
  });

  test("leaves a node that is drained, and comes back", () => {
    const [first = "", second] = rankNodes("workloads.web", NODES);
    const drained = settingsOf({ web: { image: IMAGE } }, { [first]: { drain: "spread" } });
    expect(nodesOf(drained, "web")).toEqual([second]);
  });

  test("one that is pinned stays on a drained node until all are to stop", () => {
    const web = { image: IMAGE, place: { node: "node-a" } };
    const own = { workloads: { own: { image: IMAGE } } };
    const on = (drain: string): string[] => {
      const settings = settingsOf({ web }, { "node-a": { ...own, drain } });
      return Object.keys(settings.nodes["node-a"]?.workloads ?? {});
    };
    expect(on("spread")).toEqual(["own", "web"]);
    expect(on("all")).toEqual([]);
  });
});

/** [what, workloads, nodes, the only problem] */
const REFUSED: [string, object, object, string][] = [
  [
    "a node that is not there",
    { web: { image: IMAGE, place: { node: "lost" } } },
    {},
    'workloads.web.place.node: "lost"; allowed: a node of this stack: node-a, node-b, node-c',
  ],
  [
    "more replicas than nodes",
    { web: { image: IMAGE, place: { replicas: 4 } } },
    {},
    "workloads.web.place.replicas: 4; allowed: no more than the nodes of this stack that take it: node-a, node-b, node-c",
  ],
  [
    "a drained node that no other replaces",
    { web: { image: IMAGE, place: { labels: { disk: "nvme" } } } },
    { "node-b": { labels: { disk: "nvme" }, drain: "spread" } },
    "workloads.web.place.replicas: 1; allowed: no more than the nodes with these labels that take it: there is none; drained: node-b",
  ],
  [
    "labels that no node has",
    { web: { image: IMAGE, place: { labels: { disk: "tape" } } } },
    {},
    'workloads.web.place.labels: {"disk":"tape"}; allowed: no more than the nodes with these labels that take it: there is none',
  ],
  [
    "a node and replicas",
    { web: { image: IMAGE, place: { node: "node-a", replicas: 2 } } },
    {},
    "workloads.web.place.replicas: 2; allowed: 1, since place.node names one node",
  ],
  [
    "a key that no place has",
    { web: { image: IMAGE, place: { nodes: ["node-a"] } } },
    {},
    'workloads.web.place.nodes: ["node-a"]; allowed: not a key of this section; see docs/reference/configuration.md',
  ],
  [
    "a name that the node has already",
    { web: { image: IMAGE, place: { node: "node-a" } } },
    { "node-a": { workloads: { web: { image: IMAGE } } } },
    'workloads.web: "web"; allowed: a name that no workload under nodes.node-a.workloads or defaults.workloads has',
  ],
  [
    "one port for two on one node",
    Object.fromEntries(
      ["one", "two"].map((name) => [
        name,
        {
          ...{ image: IMAGE, networks: { [NETWORK]: {} }, place: { node: "node-a" } },
          ports: [{ port: 443, containerPort: 8443 }],
        },
      ]),
    ),
    {},
    "workloads.two.ports.0.port: 443; allowed: a free port of 10.25.20.40; workload one has this one",
  ],
  [
    "a mistake in itself, told once for all its nodes",
    { web: { image: "web", place: { replicas: 3 } } },
    {},
    "workloads.web.image (also",
  ],
];

test.each(REFUSED)("refused: %s", (_, workloads, over, problem) => {
  const lines = said(workloads, over);
  expect(lines).toHaveLength(1);
  if (problem.endsWith("(also"))
    expect(lines[0]).toMatch(/^workloads\.web\.image: "web" \(also in node-b and node-c\); /);
  else expect(lines[0]).toBe(problem);
});

describe("names across nodes", () => {
  const served = { networks: { [NETWORK]: {} }, ports: [{ port: 5432, containerPort: 5432 }] };
  const db = { image: IMAGE, ...served, place: { replicas: 2, labels: { db: "yes" } } };
  const labels = { db: "yes" };
  const over = { "node-a": { labels }, "node-b": { labels } };
  const web = { image: IMAGE, reaches: ["db"], place: { node: "node-c" } };

  test("a workload finds those that it reaches at the addresses of their nodes", () => {
    const settings = settingsOf({ db, web }, over);
    expect(settings.nodes["node-c"]?.workloads.web?.hosts).toEqual({
      "db.internal": ["10.25.20.40", "10.25.20.41"],
    });
  });

  test("one without a port for others is not reached", () => {
    const hidden = { image: IMAGE, place: { node: "node-a" } };
    expect(said({ db: hidden, web }, over)).toEqual([
      'workloads.web.reaches.0: "db"; allowed: a workload with a port on the address of its node: there is none',
    ]);
  });

  test("neither is one that loopback alone has", () => {
    const local = { ...db, ports: [{ port: 5432, containerPort: 5432, address: "127.0.0.1" }] };
    expect(said({ db: local, web }, over)).toHaveLength(1);
  });
});

describe("a move", () => {
  /** A node as the state has it, with workloads and their volumes. */
  const recorded = (ran: Record<string, readonly string[]>) =>
    ({
      recorded: {
        workloads: Object.fromEntries(
          Object.entries(ran).map(([name, volumes]) => [name, { volumes, ports: [] }]),
        ),
      },
    }) as unknown as Parameters<typeof refuseMoves>[1][string];
  const settings = (place: object, over: object = {}) =>
    settingsOf({ web: { image: IMAGE, place } }, over);
  const lines: string[] = [];

  beforeEach(() => {
    lines.length = 0;
    const note =
      (level: string) =>
      (...args: unknown[]) => {
        lines.push(`${level} ${String(args[0])}`);
        return Promise.resolve();
      };
    jest.spyOn(pulumi.log, "info").mockImplementation(note("info"));
    jest.spyOn(pulumi.log, "warn").mockImplementation(note("warn"));
  });
  afterEach(() => jest.restoreAllMocks());

  test("away from a volume is refused, with both ways on", () => {
    const known = { "node-a": recorded({ web: ["web-data", "web-logs"] }) };
    expect(() => {
      refuseMoves(settings({ node: "node-b", leaves: ["web-logs"] }), known);
    }).toThrow(
      "workloads.web.place: web would go from node-a to node-b and leave its data in web-data behind; allowed: node: node-a, or leaves: [web-data] if the data may stay there",
    );
  });

  test.each([
    ["without a volume", { web: [] }, {}],
    ["with leave to leave it", { web: ["web-data"] }, { leaves: ["web-data"] }],
  ])("%s is told", async (_, ran, more) => {
    const known = { "node-a": recorded(ran) };
    const all = settings({ node: "node-b", ...more });
    refuseMoves(all, known);
    await tellPlacements(all, known);
    expect(lines).toEqual([
      "info workloads.web runs on node-b",
      "warn web moves from node-a to node-b",
    ]);
  });

  test("another replica, or one less, moves nothing", () => {
    const known = { "node-a": recorded({ web: ["web-data"] }) };
    const replicas = settings({ replicas: 3 });
    expect(() => {
      refuseMoves(replicas, known);
    }).not.toThrow();
  });

  test("a drained node says what stops and what stays", async () => {
    const own = { workloads: { own: { image: IMAGE } } };
    const known = { "node-a": recorded({ web: [], own: [] }), "node-b": recorded({}) };
    const drain = (how: string) =>
      settings({ node: "node-b" }, { "node-a": { ...own, drain: how } });
    await tellPlacements(drain("spread"), known);
    await tellPlacements(drain("all"), known);
    expect(lines.filter((line) => line.includes("drained"))).toEqual([
      "warn node-a is drained (spread): own stays; volumes stay",
      "warn node-a is drained (all): own stops; nothing stays; volumes stay",
    ]);
  });
});

test("the state says which workloads a node runs, and on which volumes", () => {
  const raw = fleet({}, {}, ["node-a"]);
  const node = loadSettings(raw).nodes["node-a"];
  if (!node) throw new Error("no node-a");
  const { vmId } = node.machine;
  const container = (label: string) => ({
    type: "docker:index/container:Container",
    outputs: {
      labels: [{ label: "docker-node.workload", value: label }],
      volumes: [{ volumeName: "data", containerPath: "/data" }, { hostPath: "/x" }],
    },
  });
  const state = {
    "urn::node-a-ready": { type: "command:remote:Command", outputs: { stdout: "key" } },
    "urn:proxmoxve:index/vmLegacy:VmLegacy::node-a-vm": {
      type: "proxmoxve:index/vmLegacy:VmLegacy",
      outputs: { vmId },
    },
    "urn:command:remote:Command::node-a-ready": {
      type: "command:remote:Command",
      outputs: { stdout: "ssh-ed25519 AAAA" },
    },
    "urn::node-a-workload-web": container("web"),
    "urn::other-node-a-workload-db": container("db"),
  };
  expect(recordedNode("node-a", node, state)?.workloads).toEqual({
    web: { volumes: ["data"], ports: [] },
  });
});
