import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { confirmFirewallStep, firewallStep, type Script } from "../../node/steps";
import type { NodeConfig } from "../../config/schema";
import {
  changes,
  done,
  fake,
  home,
  session,
  sh,
  textOf,
  useNode,
  type Result,
} from "../support/node";
import { prodNode } from "../support/settings";

/**
 * The node's firewall against real packets: the scripts load it with nft into a network namespace that stands for the node, beside
 * rules as Docker writes them, and other namespaces are its containers and the hosts around it (test/fixtures/firewall).
 */

const FIXTURES = join(__dirname, "../fixtures/firewall");
const NAME = `dn${process.pid}`;
const has = (program: string): boolean => sh(`type -P ${program}`) !== "";
/** A job of CI that promises what these tests need: what is missing there fails them, and skips none. */
const promised = process.env.DOCKER_NODE_PACKETS === "1";
const able =
  promised ||
  (process.getuid?.() === 0 && has("nft") && spawnSync("unshare", ["-n", "true"]).status === 0);
const backends = ["nft", ...(promised || has("iptables-nft") ? ["iptables"] : [])];

const MANAGEMENT = "10.25.10.5";
const PORTAINER = "10.25.10.11";
const STRANGER = "10.25.30.7";
const STRANGER6 = "fd25::7";
const AT = "10.25.20.24";
const AT6 = "fd25::24";
const ONE = { address: "172.18.0.2", six: "fd18::2" };
/** On the bridge of the first; its packets to it are filtered too, since br_netfilter is on. */
const BESIDE = { address: "172.18.0.3", six: "fd18::3" };
/** Behind the node, on a network that no container is on. */
const FAR = { address: "10.25.40.9", six: "fd40::9" };
const TWO = { address: "172.19.0.2", six: "fd19::2" };

/** Production's node, with ports of containers, a metrics port of its own, and echo requests. */
const node = prodNode({
  network: {
    firewall: {
      rules: [
        { port: "8080" },
        { port: "8081", source: "10.25.10.0/24" },
        { port: "8081", source: "fd25::7:0/112" },
        { port: "8082", source: "fd25::/64" },
        { port: "9300:9400", source: PORTAINER },
        { proto: "icmp", source: "10.25.10.0/24" },
        { proto: "icmp", source: STRANGER6 },
      ],
    },
  },
});

const router = {
  ...node,
  engine: { ...node.engine, daemon: { ...node.engine.daemon, "ip-forward-no-drop": true } },
};

type Try = readonly [from: string, to: string, port: number];

useNode();

const network = (...args: string[]): string => {
  const { status, stderr, stdout } = spawnSync("bash", [join(FIXTURES, "network.sh"), ...args], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
};
const inside = (part: string, ...command: string[]): string[] => [
  "netns",
  "exec",
  `${NAME}-${part}`,
  ...command,
];

const servers: ChildProcess[] = [];
async function serve(part: string, ...ports: number[]): Promise<void> {
  const args = ["python3", join(FIXTURES, "talk.py"), "serve", ...ports.map(String)];
  const server = spawn("ip", inside(part, ...args), { stdio: ["pipe", "pipe", "inherit"] });
  servers.push(server);
  await new Promise((resolve, reject) => {
    server.stdout.once("data", resolve);
    server.once("exit", reject);
  });
}

/** What of the connections was answered, tried all at once. */
function answered(part: string, tries: readonly Try[]): Try[] {
  const args = inside(part, "python3", join(FIXTURES, "talk.py"), "try");
  const input = JSON.stringify(tries);
  const { stdout, stderr } = spawnSync("ip", args, { input, encoding: "utf8" });
  if (stderr) throw new Error(stderr);
  const found = JSON.parse(stdout) as boolean[];
  return tries.filter((_, index) => found[index]);
}

/** Runs a step of the graph on the node, over a connection of its own. */
function run({ script, variables }: Script, connection: string): Result {
  const given = Object.entries(variables).map(([key, value]) => [key, String(value)] as const);
  const all = { ...Object.fromEntries(given), SSH_CONNECTION: connection };
  const options = { ...session(textOf(script), all), encoding: "utf8" } as const;
  const ip = sh("type -P ip");
  const { status, signal, stdout, stderr } = spawnSync(ip, inside("node", "bash", "-s"), options);
  return { status, signal, stdout, stderr };
}
const load = (of: NodeConfig): Result => run(firewallStep(of), `${MANAGEMENT} 5001 ${AT} 22`);
const confirm = (of: NodeConfig): Result =>
  run(confirmFirewallStep(of), `${MANAGEMENT} 5002 ${AT} 22`);

/** The program that the timers of systemd start. */
function guard(...args: string[]): string {
  const program = join(home, "root/usr/local/sbin/docker-node-firewall");
  const env = { PATH: join(home, "bin"), ROOT_DIR: join(home, "root") };
  const { status, stderr } = spawnSync(sh("type -P ip"), inside("node", program, ...args), {
    env,
    encoding: "utf8",
  });
  expect(status).toBe(0);
  return stderr;
}
const nft = (...args: string[]): string =>
  spawnSync("ip", inside("node", "nft", ...args), { encoding: "utf8" }).stdout;

const real = (...programs: string[]): void => {
  for (const program of programs) {
    rmSync(join(home, "bin", program), { force: true });
    symlinkSync(sh(`type -P ${program}`), join(home, "bin", program));
  }
};

const outsiders = (port: number): Try[] => [
  [MANAGEMENT, AT, port],
  [PORTAINER, AT, port],
  [STRANGER, AT, port],
  [STRANGER6, AT6, port],
];
const past: readonly Try[] = [
  [STRANGER, FAR.address, 443],
  [STRANGER6, FAR.six, 443],
];
const from = (tries: readonly Try[]): string[] => tries.map(([source]) => source);

/** The node's network, for the tests around. */
function useNetwork(backend: string): void {
  beforeAll(async () => {
    network("up", NAME, backend);
    await serve("node", 22, 5000, 9323);
    await serve("one", 80, 9001);
    await serve("two", 80);
    await serve("beside", 80);
    await serve("lan", 443);
    await serve("far", 443);
  });
  beforeEach(() => {
    real("nft", "ip");
    fake("units", "");
  });
  afterEach(() => {
    nft("delete", "table", "inet", "docker_node");
  });
  afterAll(() => {
    for (const server of servers.splice(0)) server.kill();
    network("down", NAME);
  });
}

(able ? describe.each(backends) : describe.skip.each(backends))(
  "beside Docker's rules by %s",
  (backend) => {
    useNetwork(backend);

    test("without it, everybody reaches everything", () => {
      for (const port of [22, 5000, 8080, 8082, 9001, 0])
        expect([port, answered("lan", outsiders(port))]).toEqual([port, outsiders(port)]);
    });

    test("each port of the node and of its containers is open to its sources, over IPv4 and IPv6", () => {
      expect(done(load(node))).toEqual({ firewall: "on trial" });
      expect(done(confirm(node))).toMatchObject({ confirmed: expect.any(String) as unknown });
      const ports = [22, 9001, 8080, 8081, 8082, 5000, 9323, 0];
      const found = answered("lan", ports.flatMap(outsiders));
      const open = (port: number): string[] => from(found.filter((one) => one[2] === port));
      expect(ports.map((port) => [port, open(port)])).toEqual([
        [22, [MANAGEMENT, PORTAINER]],
        [9001, [PORTAINER]],
        [8080, [MANAGEMENT, PORTAINER, STRANGER, STRANGER6]],
        [8081, [MANAGEMENT, PORTAINER]],
        [8082, [STRANGER6]],
        [5000, []],
        [9323, [PORTAINER]],
        [0, [MANAGEMENT, PORTAINER, STRANGER6]],
      ]);
    });

    test("nobody reaches a container by its own address, a published port included", () => {
      const tries: Try[] = [
        [MANAGEMENT, ONE.address, 80],
        [STRANGER6, ONE.six, 80],
        [PORTAINER, ONE.address, 9001],
        [STRANGER6, TWO.six, 80],
      ];
      done(load(node));
      expect(answered("lan", tries)).toEqual([]);
    });

    test("containers reach the outside and each other as before, and the node by declared ports alone", () => {
      const out = [
        [ONE.address, MANAGEMENT, 443],
        [ONE.six, STRANGER6, 443],
        [ONE.address, BESIDE.address, 80],
        [ONE.six, BESIDE.six, 80],
        [ONE.address, TWO.address, 80],
        [ONE.six, TWO.six, 80],
      ] as const;
      const published = [
        [TWO.address, AT, 8082],
        [TWO.six, AT6, 8082],
      ] as const;
      const before = [answered("one", out), answered("two", published)];
      expect(before[0]?.slice(0, 4)).toEqual(out.slice(0, 4));
      done(load(node));
      expect([answered("one", out), answered("two", published)]).toEqual(before);
      expect(
        answered("one", [
          [ONE.address, "172.18.0.1", 22],
          [ONE.six, AT6, 5000],
        ]),
      ).toEqual([]);
    });

    test("nothing passes the node by, unless it is declared a router, and containers get there", () => {
      // As Docker leaves it where forwarding was on before it started.
      if (backend === "iptables")
        for (const command of ["iptables", "ip6tables"])
          spawnSync("ip", inside("node", command, "-P", "FORWARD", "ACCEPT"));
      expect(answered("lan", past)).toEqual(past);
      done(load(node));
      expect(answered("lan", past)).toEqual([]);
      const out: Try[] = [
        [ONE.address, FAR.address, 443],
        [ONE.six, FAR.six, 443],
      ];
      expect(answered("one", out)).toEqual(out);
      done(load(router));
      expect(answered("lan", past)).toEqual(past);
      expect(answered("lan", [[STRANGER, ONE.address, 80]])).toEqual([]);
    });

    test("a connection that is open goes on under rules that would not let it in", async () => {
      const args = ["python3", join(FIXTURES, "talk.py"), "hold", STRANGER, AT, "8082"];
      const open = spawn("ip", inside("lan", ...args), { stdio: ["pipe", "pipe", "inherit"] });
      servers.push(open);
      const lines = createInterface({ input: open.stdout })[Symbol.asyncIterator]();
      expect(await lines.next()).toMatchObject({ value: "open" });
      done(load(node));
      expect(answered("lan", [[STRANGER, AT, 8082]])).toEqual([]);
      open.stdin.write("\n");
      expect(await lines.next()).toMatchObject({ value: "still open" });
    });
  },
);

(able ? describe : describe.skip)("its life", () => {
  useNetwork("nft");

  test("rules that nobody confirms are taken back: to none at first, later to those before", () => {
    done(load(node));
    expect(from(answered("lan", outsiders(5000)))).toEqual([]);
    expect(changes()).toContain("systemd-run /usr/local/sbin/docker-node-firewall take_back");
    expect(guard("take_back")).toMatch(/nobody has confirmed/);
    expect(answered("lan", outsiders(5000))).toEqual(outsiders(5000));
    done(load(node));
    done(confirm(node));
    const narrow = prodNode({
      network: { firewall: { managementNetworks: [`${MANAGEMENT}/32`] } },
    });
    expect(done(load(narrow))).toEqual({ firewall: "on trial" });
    expect(from(answered("lan", outsiders(22)))).toEqual([MANAGEMENT]);
    guard("heal");
    expect(from(answered("lan", outsiders(22)))).toEqual([MANAGEMENT]);
    guard("take_back");
    expect(from(answered("lan", outsiders(22)))).toEqual([MANAGEMENT, PORTAINER]);
    const late = confirm(narrow);
    expect(late).toMatchObject({ status: 1, stdout: "" });
    expect(late.stderr).toMatch(/taken back at .*: no fresh SSH connection[^]*managementNetworks/);
  });

  test("off, nothing of it is left", () => {
    const before = nft("list", "ruleset");
    done(load(node));
    done(confirm(node));
    const off = prodNode({ network: { firewall: { onNode: false } } });
    expect(done(load(off))).toEqual({ firewall: "off" });
    expect(nft("list", "ruleset")).toBe(before);
  });

  test("flushed by hand it is back, so it is after a change of the table, and at a boot", () => {
    done(load(node));
    done(confirm(node));
    const whole = nft("list", "table", "inet", "docker_node");
    expect(guard("heal")).toBe("");
    nft("flush", "ruleset");
    expect(answered("lan", past)).toEqual(past);
    expect(guard("heal")).toMatch(/not in force as loaded/);
    expect(nft("list", "table", "inet", "docker_node")).toBe(whole);
    expect(answered("lan", past)).toEqual([]);
    nft("insert", "rule", "inet", "docker_node", "input", "accept");
    guard("heal");
    expect(nft("list", "table", "inet", "docker_node")).toBe(whole);
    expect(from(answered("lan", outsiders(22)))).toEqual([MANAGEMENT, PORTAINER]);
    // A boot: nothing is in memory.
    nft("flush", "ruleset");
    rmSync(join(home, "root/run"), { recursive: true });
    guard("load");
    expect(nft("list", "table", "inet", "docker_node")).toBe(whole);
  });
});
