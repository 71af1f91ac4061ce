/** `docker-node probe`: sockets on loopback stand for a node, and both sides of each judgement are told. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { createServer as createTlsServer } from "node:tls";
import { run } from "../../clients/process";
import { probe, scanPorts, findSource, type Answer } from "../../clients/network";
import { runCommandLine } from "../../commands/cli";
import { judgeSight } from "../../commands/probe/judge";
import { openingsFor, portsToTry, spansOf } from "../../commands/probe/ports";
import { probeNode } from "../../commands/probe/probe";
import { otherNode, thisMachine } from "../../commands/probe/sight";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { renderScript, type ShellVariables } from "../../node/scripts";
import { openedWith } from "../support/opened";
import { prodNode, prodWith } from "../support/settings";

const MANAGEMENT = "10.25.10.5";
const PORTAINER = "10.25.10.11";
const STRANGER = "10.25.20.99";
const LINK_LOCAL = "fe80::5054:ff:fe12:3456";
const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHostKey";
const CERTIFICATE = Array(32).fill("AB").join(":");

const node = prodNode();
const folder = mkdtempSync(join(tmpdir(), "docker-node-probe-"));
const servers: Server[] = [];

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Listens on an address; the port. */
function listen(host: string, server: Server = createServer()): Promise<number> {
  servers.push(server);
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, host, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** A port of an address that nobody listens on. */
async function closedPort(host: string): Promise<number> {
  const server = createServer();
  const port = await listen(host, server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("ports of an address", () => {
  test.each(["127.0.0.9", "::1"])("answer or are refused, at %s alone", async (host) => {
    const [open, closed] = [await listen(host), await closedPort(host)];
    const answers = await scanPorts(host, [open, closed]);
    expect(Object.fromEntries(answers)).toEqual({ [open]: "open", [closed]: "refused" });
    expect(await probe("127.0.0.10", open)).toBe("refused");
  });

  test.each([
    [300, 64],
    [5000, 512],
  ])("are tried some at a time, and each once: %i ports, %i at a time", async (count, atOnce) => {
    let [now, most] = [0, 0];
    const tried: number[] = [];
    const ports = Array.from({ length: count }, (_, port) => port + 1);
    const answers = await scanPorts("192.0.2.1", ports, async (_, port) => {
      most = Math.max(most, ++now);
      tried.push(port);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return port === 7 ? "refused" : "silent";
    });
    expect(tried).toEqual(ports);
    expect(most).toBe(atOnce);
    expect([answers.size, answers.get(7), answers.get(8)]).toEqual([count, "refused", "silent"]);
  });

  test("are looked at from the address that packets leave from", async () => {
    expect(await findSource("127.0.0.9")).toBe("127.0.0.1");
    expect(await findSource("::1")).toBe("::1");
  });
});

const withRules = (...rules: object[]): NodeConfig =>
  prodNode({ network: { firewall: { rules } } });

describe("ports that are tried", () => {
  const tried = (of: NodeConfig, ...ports: number[]): boolean =>
    ports.every((port) => portsToTry(of, false).includes(port));

  test("are the node's own, those of rules, and well-known ones", () => {
    expect(tried(node, 22, 9001, 2375, 3306)).toBe(true);
    expect(tried(node, 8123)).toBe(false);
    expect(tried(withRules({ port: "8123:8125" }), 8123, 8124, 8125)).toBe(true);
    expect(
      tried(
        prodNode({ monitoring: null, engine: { daemon: { "metrics-addr": "10.25.20.24:9324" } } }),
        9324,
      ),
    ).toBe(true);
  });

  test("of a long range only the ends", () => {
    const ports = portsToTry(withRules({ port: "30000:32000" }), false);
    expect(ports.filter((port) => port >= 30_000)).toEqual([30_000, 32_000]);
  });

  test("are those that the node listens on, too, each once", () => {
    const ports = portsToTry(node, false, [22, 38_123]);
    expect(ports).toContain(38_123);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test("are all there are on demand", () => {
    const all = portsToTry(node, true);
    expect(all).toEqual(Array.from({ length: 65_535 }, (_, at) => at + 1));
    expect(spansOf(all)).toBe("1-65535");
    expect(spansOf([22, 80, 81, 82, 443])).toBe("22 80-82 443");
  });
});

describe("what the rules let through", () => {
  const lets = (of: NodeConfig, from: string): number[] =>
    [22, 443, 9001].filter((port) => openingsFor(of, from).lets(port));
  const over6 = withRules({ port: "443", source: "fd25:10::/64" });
  const web = withRules({ port: "443" }, { port: "440:450", source: STRANGER, proto: "udp" });

  test.each<[what: string, of: NodeConfig, from: string, ports: number[]]>([
    ["management", node, MANAGEMENT, [22]],
    ["Portainer's server, which is in management's network", node, PORTAINER, [22, 9001]],
    ["a stranger", node, STRANGER, []],
    ["a stranger, with a rule for everybody", web, STRANGER, [443]],
    [
      "a network that is named",
      withRules({ port: "443", source: "10.25.20.0/24" }),
      STRANGER,
      [443],
    ],
    ["somebody beside it", withRules({ port: "443", source: "10.25.30.0/24" }), STRANGER, []],
    ["IPv6, with rules for addresses", node, LINK_LOCAL, []],
    ["IPv6, with a rule for everybody", web, LINK_LOCAL, [443]],
    ["IPv6, with a rule for its network", over6, "fd25:10::7", [443]],
    ["IPv6, with a rule for another network", over6, "fd25:11::7", []],
    [
      "IPv6 by an interface, with a rule for link-local addresses",
      withRules({ port: "443", source: "fe80::/10" }),
      `${LINK_LOCAL}%eth0`,
      [443],
    ],
    [
      "everybody, without a firewall",
      prodNode({ network: { firewall: null } }),
      STRANGER,
      [22, 9001],
    ],
  ])("%s", (_, of, from, ports) => {
    expect(lets(of, from)).toEqual(ports);
  });

  /** Proxmox has the rules by `enabled`, the node by `onNode`: one that filters is enough. */
  test.each<[enabled: boolean, onNode: boolean, ports: number[]]>([
    [true, true, [443]],
    [true, false, [443]],
    [false, true, [443]],
    [false, false, [22, 9001]],
  ])("a stranger, with Proxmox's rules %s and the node's %s", (enabled, onNode, ports) => {
    const rules = [{ port: "443" }];
    const of = prodNode({ network: { firewall: { enabled, onNode, rules } } });
    expect(lets(of, STRANGER)).toEqual(ports);
  });

  test("is told in words", () => {
    expect(openingsFor(node, PORTAINER).rules).toEqual([
      "SSH from management (22)",
      "Portainer agent from the Portainer server (9001)",
    ]);
  });
});

describe("a sight", () => {
  const published = { hostKey: HOST_KEY, agentFingerprint: CERTIFICATE };
  interface Told {
    readonly from: string;
    readonly open: readonly number[];
    readonly hostKey?: string;
    readonly certificate?: string;
    readonly family?: "IPv4" | "IPv6";
  }
  /** Rows that do not hold, with what was found. */
  function wrong({ from, open, family = "IPv4", ...keys }: Told): Record<string, string> {
    const ports = portsToTry(node, false);
    const answer = (port: number): Answer => (open.includes(port) ? "open" : "silent");
    const answers = new Map(ports.map((port) => [port, answer(port)]));
    const rows = judgeSight({ node, published, family, sight: { from, answers, ...keys } });
    const bad = rows.filter(({ holds }) => !holds);
    return Object.fromEntries(bad.map(({ id, figure = "" }) => [id, figure]));
  }
  const keys = { hostKey: HOST_KEY, certificate: CERTIFICATE };

  test("as it has to be, from everywhere", () => {
    expect(wrong({ from: MANAGEMENT, open: [22], ...keys })).toEqual({});
    expect(wrong({ from: PORTAINER, open: [22, 9001], ...keys })).toEqual({});
    expect(wrong({ from: STRANGER, open: [] })).toEqual({});
    expect(wrong({ from: LINK_LOCAL, open: [], family: "IPv6" })).toEqual({});
  });

  test("names each port that is open and should not be", () => {
    expect(wrong({ from: MANAGEMENT, open: [22, 2375, 3306], ...keys })).toEqual({
      "closed-ipv4": expect.stringMatching(/^open: 2375, 3306; 2 open, 0 refused/) as unknown,
    });
    expect(wrong({ from: LINK_LOCAL, open: [111], family: "IPv6" })).toHaveProperty("closed-ipv6");
  });

  test("the agent is Portainer's alone, SSH is management's", () => {
    expect(wrong({ from: MANAGEMENT, open: [22, 9001], ...keys })).toEqual({
      "agent-ipv4": "open",
    });
    expect(wrong({ from: PORTAINER, open: [22], ...keys })).toEqual({ "agent-ipv4": "no answer" });
    expect(wrong({ from: STRANGER, open: [22], ...keys })).toEqual({ "ssh-ipv4": "open" });
    expect(wrong({ from: MANAGEMENT, open: [] })).toEqual({ "ssh-ipv4": "no answer" });
    const six = { from: LINK_LOCAL, family: "IPv6", ...keys } as const;
    expect(wrong({ ...six, open: [22, 9001] })).toEqual({
      "ssh-ipv6": "open",
      "agent-ipv6": "open",
    });
  });

  test("whoever answers has the keys of the outputs", () => {
    const seen = { from: PORTAINER, open: [22, 9001] };
    expect(wrong({ ...seen, hostKey: "ssh-ed25519 another", certificate: CERTIFICATE })).toEqual({
      "host-key-ipv4": "ssh-ed25519 another",
    });
    expect(wrong({ ...seen, hostKey: HOST_KEY, certificate: "CD" })).toEqual({
      "certificate-ipv4": "CD",
    });
    expect(wrong(seen)).toEqual({
      "host-key-ipv4": "none is told",
      "certificate-ipv4": "none is told",
    });
  });
});

/** A server with a certificate of its own, as the agent is one. */
async function agent(host: string): Promise<{ port: number; fingerprint: string }> {
  const [key, cert] = [join(folder, `${host}.key`), join(folder, `${host}.pem`)];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", key, "-out", cert, "-subj", "/CN=agent"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...files], { stdio: "ignore" });
  const pem = readFileSync(cert);
  const server = createTlsServer({ key: readFileSync(key), cert: pem });
  return { port: await listen(host, server), fingerprint: new X509Certificate(pem).fingerprint256 };
}

describe("both hosts that look see the same", () => {
  const near = "127.0.0.9";
  const scan = async (variables: ShellVariables): Promise<unknown> => {
    const input = renderScript("validation/scan", { LIMIT: 60, NEAR: near, ...variables });
    return JSON.parse(await run({ program: "bash", args: ["-s"] }, input));
  };

  test.each(["127.0.0.9", "::1"])("at %s", async (address) => {
    const { port, fingerprint } = await agent(address);
    const closed = await closedPort(address);
    const from = address === "::1" ? "::1" : "127.0.0.1";
    const ports = [port, closed];
    const seen = await thisMachine.look({ address, near, ports, agentPort: port });
    const answers = { [port]: "open", [closed]: "refused" };
    const told = { from, answers, certificate: fingerprint };
    expect({ ...seen, answers: Object.fromEntries(seen.answers) }).toEqual(told);
    const variables = { HOST: address, PORTS: ports.join(" "), AGENT_PORT: port };
    expect(await scan(variables)).toEqual({ ...told, hostKey: null });
    const range = { ...variables, PORTS: `1-2 ${port}` };
    expect(await scan(range)).toMatchObject({
      answers: { 1: "refused", 2: "refused", [port]: "open" },
    });
  });

  test("where there is no agent", async () => {
    const told = { from: "127.0.0.1", answers: { 1: "refused" }, hostKey: null, certificate: null };
    expect(await scan({ HOST: near, PORTS: "1" })).toEqual(told);
  });

  test("a link-local address is looked at on the segment alone", async () => {
    const question = { address: LINK_LOCAL, near: "203.0.113.7", ports: [1] };
    await expect(thisMachine.look(question)).rejects.toThrow(/not on its segment/);
  });
});

test("a node says which IPv6 addresses its NIC has", () => {
  const links = [
    {
      ifname: "eth0",
      addr_info: [
        { family: "inet", local: "10.25.20.24" },
        { family: "inet6", local: "2001:db8::24" },
        { family: "inet6", local: LINK_LOCAL },
      ],
    },
    { ifname: "docker0", addr_info: [{ family: "inet6", local: "fe80::1" }, {}] },
  ];
  writeFileSync(join(folder, "ip"), `#!/bin/sh\necho '${JSON.stringify(links)}'\n`);
  chmodSync(join(folder, "ip"), 0o755);
  const env = { PATH: `${folder}:${process.env.PATH ?? ""}` };
  const input = renderScript("validation/addresses", { LIMIT: 60, NEAR: "10.25.20.24" });
  const { stdout } = spawnSync("bash", ["-s"], { input, env, encoding: "utf8" });
  expect(JSON.parse(stdout)).toEqual({ addresses: ["2001:db8::24", LINK_LOCAL] });
});

describe("npx docker-node probe", () => {
  const settings = loadSettings({
    ...prodWith({}),
    nodes: {
      "proj-docker02": {},
      "proj-docker01": { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } },
    },
  });
  const asked: [string, string][] = [];
  const tried: string[][] = [];
  let answers: Record<string, unknown> = {};

  const shell = (name: string) => ({
    script: (file: string, { HOST, PORTS }: ShellVariables): Promise<string> => {
      asked.push([name, `${file} ${HOST ?? ""}`.trim()]);
      const answer = answers[`${file} ${HOST ?? ""}`.trim()] ?? answers[file];
      if (answer === undefined) return Promise.reject(new Error("10.25.20.24: no route"));
      tried.push(String(PORTS ?? "").split(" "));
      const ports = tried.at(-1) ?? [];
      const silent: Record<string, string> = Object.fromEntries(
        ports.map((one) => [one, "silent"]),
      );
      const found = answer as { answers?: object };
      const all = found.answers && { answers: { ...silent, ...found.answers } };
      return Promise.resolve(JSON.stringify({ ...found, ...all }));
    },
    feed: () => Promise.reject(new Error()),
    shown: () => "",
  });
  const opened = openedWith(settings, {
    shell,
    published: () => ({ hostKey: HOST_KEY, agentFingerprint: CERTIFICATE }),
  });

  async function type(...args: string[]): Promise<{ status: number; out: string }> {
    asked.length = 0;
    const lines: string[] = [];
    const status = await runCommandLine(["probe", ...args], {
      open: () => Promise.resolve(opened),
      print: (text) => void lines.push(text),
      warn: (text) => void lines.push(text),
    });
    return { status, out: lines.join("\n") };
  }

  const quiet = { from: "10.25.20.23", answers: {}, hostKey: null, certificate: null };
  const good = {
    "validation/scan": quiet,
    "validation/addresses": { addresses: [LINK_LOCAL] },
    "validation/reach": {
      listening: [
        { address: "0.0.0.0", port: 38_123 },
        { address: "127.0.0.1", port: 38_125 },
      ],
    },
  };

  test("looks from another node, at all others, over both families", async () => {
    answers = good;
    const { status, out } = await type("--from", "proj-docker01", "--json");
    expect(status).toBe(0);
    expect(asked).toEqual([
      ["proj-docker02", "validation/reach"],
      ["proj-docker01", "validation/scan 10.25.20.24"],
      ["proj-docker02", "validation/addresses"],
      ["proj-docker01", `validation/scan ${LINK_LOCAL}`],
    ]);
    expect(tried.filter((ports) => ports.includes("38123"))).toHaveLength(2);
    expect(tried.flat()).not.toContain("38125");
    const { rows } = JSON.parse(out.slice(out.indexOf("{"))) as {
      rows: { id: string; how: string }[];
    };
    expect(rows.map(({ id }) => id)).toEqual([
      "closed-ipv4",
      "ssh-ipv4",
      "agent-ipv4",
      "closed-ipv6",
      "ssh-ipv6",
      "agent-ipv6",
    ]);
    expect(rows[0]?.how).toMatch(
      /^\d+ ports of 10\.25\.20\.24, from proj-docker01 at 10\.25\.20\.23$/,
    );
  });

  test("looks at each address of further NICs, where nothing has to answer", async () => {
    const more = [
      { bridge: "vmbr1", vlan: 30, address: "10.25.30.24/24", ipv6: { address: "fd25:30::24/64" } },
      { bridge: "vmbr1", vlan: 31, address: "10.25.31.24/24" },
    ];
    const { nodes } = loadSettings(prodWith({ network: { nics: more } }));
    const open = { ...quiet, answers: { 38123: "open" } };
    answers = { ...good, "validation/scan 10.25.31.24": open };
    asked.length = 0;
    const node = nodes["proj-docker02"];
    const rows = await probeNode({
      ...{ name: "proj-docker02", all: false, looker: otherNode("other", shell("other")) },
      opened: {
        ...opened,
        settings: { ...settings, nodes: node ? { "proj-docker02": node } : {} },
      },
    });
    expect(asked.flatMap(([, what]) => what.split("validation/scan ").slice(1))).toEqual([
      ...["10.25.20.24", LINK_LOCAL, "10.25.30.24", "fd25:30::24", "10.25.31.24"],
    ]);
    expect(rows.filter(({ state }) => state !== "held").map(({ id }) => id)).toEqual([
      "closed-ipv4-eth2",
    ]);
    expect(rows.map(({ id }) => id)).toContain("closed-ipv6-eth1");
    const seen = { node: node ?? prodNode({}), published: opened.published("proj-docker02") };
    const sight = { from: MANAGEMENT, answers: new Map<number, Answer>() };
    const at = (nic?: string): (string | undefined)[] =>
      judgeSight({ ...seen, sight, family: "IPv4", nic })
        .filter(({ holds }) => !holds)
        .map(({ id }) => id);
    expect([at(), at("eth1")]).toEqual([["ssh-ipv4"], []]);
  });

  test("tells what is open, with status 3, and writes JUnit's XML", async () => {
    const open = { ...quiet, answers: { 9001: "open" }, certificate: CERTIFICATE };
    answers = { ...good, "validation/scan 10.25.20.24": open };
    const file = join(folder, "probe.xml");
    const { status, out } = await type("proj-docker02", "--from", "proj-docker01", "--junit", file);
    expect(status).toBe(3);
    expect(out).toMatch(/✗ Agent \(9001\), IPv4\s+open\s+closed: no rule lets 10\.25\.20\.23/);
    expect(readFileSync(file, "utf8")).toContain('<testcase name="agent-ipv4"');
  });

  test("says what could not be looked at", async () => {
    answers = { "validation/scan": quiet };
    const line = ["proj-docker02", "--from", "proj-docker01"];
    const { status, out } = await type(...line);
    expect(status).toBe(3);
    expect(out).toMatch(/\? Ports it listens on\s+not measured: 10\.25\.20\.24: no route/);
    expect(out).toMatch(/\? IPv6\s+not measured: 10\.25\.20\.24: no route/);
    expect((await type(...line, "--allow-unmeasured")).status).toBe(0);
    answers = { ...good, "validation/addresses": { addresses: [] } };
    expect((await type(...line)).out).toMatch(/- IPv6\s+not declared/);
  });

  test("refuses a node that is not there, and one that would look at itself", async () => {
    expect(await type("--from", "nope")).toMatchObject({
      status: 2,
      out: expect.stringMatching(/node nope; allowed: proj-docker02, proj-docker01/) as unknown,
    });
    expect((await type("proj-docker01", "--from", "proj-docker01")).status).toBe(2);
  });
});
