import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as steps from "../../node/steps";
import { renderScript, type ScriptName, type ShellVariables } from "../../node/scripts";
import { vmArgs } from "../../components/machine/vm-args";
import {
  addressOf,
  contains,
  firstHost,
  isAddress,
  isCidr,
  isHostOf,
  overlaps,
  toCanonical,
} from "../../config/cidr";
import { renderDaemonJson } from "../../config/daemon";
import { loadSettings, merge, type RawSettings, type Settings } from "../../config/load";
import { dockerHostUrl, firewallRules, sshOptions } from "../../config/node";
import { ConfigError } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";
import { HOST_KEY } from "../support/mocks";
import { stackFile, waiver } from "../support/settings";

/*
 * What holds for every configuration, however hostile. The seed is fixed: a failure is the same one
 * tomorrow, and `PROPERTY_SEED` looks elsewhere, `PROPERTY_RUNS=5` further.
 */

const seed = Number(process.env.PROPERTY_SEED ?? 20_260_920);
/** `PROPERTY_RUNS` times as many of everything; once is what a change has time for. */
const times = (runs: number): number => runs * Number(process.env.PROPERTY_RUNS ?? 1);
const MUTATED = times(2_000);
const JUNK = times(500);

type Tree = Record<string, unknown>;

/** Whatever would run a command in a shell leaves this file behind: a redirection needs no program. */
const CANARY = "EXECUTED";

const PAYLOADS = [
  `$(>${CANARY})`,
  `\`>${CANARY}\``,
  `'; >${CANARY}; '`,
  `"; >${CANARY}; "`,
  `'$(>${CANARY})'`,
  `\n>${CANARY}\n`,
  `\r\n>${CANARY}`,
  `&& >${CANARY} ||`,
  `\${x:=$(>${CANARY})}`,
  `\\`,
  `'`,
  `'\\''`,
  `"`,
  `!!`,
  `a'b"c\`d`,
  `\u0000`,
  `a\u0000b`,
  `\u001b[2J`,
  `\u2028`,
  `\ud800`,
  `ünïcödé 🐳`,
  `%h`,
  `%%`,
  `\${HOME}`,
  `~root/x`,
  `-oProxyCommand=>${CANARY}`,
  `-F/etc/passwd`,
  ` `,
  `\t`,
  `a,b=c;d`,
  `../../etc/shadow`,
  `Trusted: yes`,
  `EOF`,
  `__proto__`,
  `constructor`,
];

/** Every key there is, so that a mutation can reach it. */
const EVERYTHING: Tree = {
  machine: { agentTimeoutSeconds: 20, rebootAfterUpdate: false, adopt: false },
  network: {
    bridge: "vmbr1",
    searchDomain: "example.org",
    ipv6: { address: "fd25:10::24/64", gateway: "fe80::1" },
    nics: [
      {
        ...{ bridge: "vmbr2", vlan: 99, mtu: 9000, macAddress: "BC:24:11:00:99:24" },
        ...{ address: "10.26.0.24/24", ipv6: { address: "fd25:99::24/64" }, firewall: true },
      },
    ],
    firewall: {
      enabled: true,
      rules: [{ comment: "web", source: "10.25.0.0/16", proto: "tcp", port: "443" }],
    },
  },
  ssh: {
    endpoint: { host: "gate.example.org", port: 2222 },
    hostKey: `${HOST_KEY} node`,
    privateKeyFile: "~/.ssh/key",
  },
  engine: {
    mirror: "https://mirror.example.org/docker",
    distributionMirror: "http://mirror.example.org/ubuntu",
    groupMembers: ["operator"],
    healthTimeoutSeconds: 60,
    confirm: "hide-existing",
    daemon: {
      "cgroup-parent": "docker.slice",
      "data-root": "/var/lib/docker",
      "default-shm-size": "64M",
      "default-network-opts": { bridge: { "com.docker.network.driver.mtu": "1400" } },
      dns: ["10.25.20.1"],
      "dns-search": ["example.org"],
      "insecure-registries": ["registry.example.org:5000"],
      labels: ["site=north"],
      "registry-mirrors": ["https://mirror.example.org"],
      "userns-remap": "default",
    },
  },
  networks: {
    instruments: {
      driver: "macvlan",
      parent: "ens18",
      vlan: 30,
      subnet: "10.25.30.0/24",
      gateway: "10.25.30.1",
      range: "10.25.30.128/25",
      excluded: { router: "10.25.30.129" },
      ipv6: {
        subnet: "fd25:30::/64",
        gateway: "fd25:30::1",
        range: "fd25:30::8000/113",
        excluded: { router: "fd25:30::8001" },
      },
    },
    cameras: {
      driver: "ipvlan",
      parent: "ens18",
      vlan: 31,
      subnet: "10.25.31.0/24",
      gateway: "10.25.31.1",
    },
  },
  volumes: { data: { labels: { purpose: "research" } } },
};

const prod = stackFile("prod");
const prodNode = Object.values(prod.nodes as Tree)[0];
const VALID: RawSettings = {
  proxmox: prod.proxmox,
  defaults: merge(prodNode, EVERYTHING),
  nodes: {
    "proj-docker02": { primary: "proj-docker01" },
    "proj-docker01": {
      machine: { vmId: 2014, image: { template: 9000, node: "pve02" } },
      network: {
        address: "10.25.20.23/24",
        ipv6: { address: "fd25:10::23/64" },
        nics: [{ bridge: "vmbr2", vlan: 99, address: "10.26.0.23/24" }],
      },
      primary: { address: "10.25.10.9", port: 2222 },
    },
  },
  waivers: [
    waiver("daemon-insecure-registries"),
    waiver("daemon-cgroup-parent"),
    waiver("network-vlan-unfiltered"),
  ],
};

/** Paths of everything inside, inner nodes included. */
function pathsOf(value: unknown, at: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [at];
  const inner = Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...at, key]));
  return at.length === 0 ? inner : [at, ...inner];
}

const PATHS = pathsOf(VALID);
const LEAVES = PATHS.filter((path) => typeof at(VALID, path) !== "object");

function at(tree: unknown, path: readonly string[]): unknown {
  return path.reduce((value: unknown, key) => (value as Tree | undefined)?.[key], tree);
}

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...PAYLOADS) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom(...PAYLOADS)).map((all) => all.join("")) },
);
const junk = fc.oneof(
  text,
  fc.jsonValue({ maxDepth: 3 }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.anything({ withBigInt: true, withNullPrototype: true, withObjectString: true }),
);

/** One change of a valid configuration: a value takes another's place, gets something added, or goes. */
type Mutation = (tree: unknown) => void;

const onParent = (path: string[], change: (parent: Tree, key: string) => void): Mutation => {
  return (tree) => {
    const parent = at(tree, path.slice(0, -1));
    // An earlier change may have put something there that takes no property.
    if (typeof parent === "object" && Object.isExtensible(parent))
      change(parent as Tree, path.at(-1) ?? "");
  };
};

const affix = (value: unknown, addition: string, where: number): unknown => {
  if (typeof value !== "string") return addition;
  const cut = [0, value.length, Math.floor(value.length / 2)][where] ?? 0;
  return value.slice(0, cut) + addition + value.slice(cut);
};

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(fc.constantFrom(...LEAVES), text, fc.nat(2)).map(([path, addition, where]) =>
    onParent(path, (parent, key) => {
      parent[key] = affix(parent[key], addition, where);
    }),
  ),
  fc.tuple(fc.constantFrom(...PATHS), junk).map(([path, value]) =>
    onParent(path, (parent, key) => {
      parent[key] = value;
    }),
  ),
  fc
    .constantFrom(...PATHS)
    .map((path) => onParent(path, (parent, key) => Reflect.deleteProperty(parent, key))),
  fc.tuple(fc.constantFrom(...PATHS), text, junk).map(([path, name, value]) =>
    onParent(path, (parent) => {
      Object.defineProperty(parent, name, { value, enumerable: true, configurable: true });
    }),
  ),
  // A number a little off, a flag turned over: most of these are accepted.
  fc.tuple(fc.constantFrom(...LEAVES), fc.integer({ min: -2, max: 40 })).map(([path, by]) =>
    onParent(path, (parent, key) => {
      if (typeof parent[key] === "number") parent[key] += by;
      if (typeof parent[key] === "boolean") parent[key] = by % 2 === 0;
    }),
  ),
);

const mutated = fc
  .array(mutation, { minLength: 1, maxLength: 3 })
  .map((changes) => changes.reduce<unknown>(applied, structuredClone(VALID)) as RawSettings);

function applied(tree: unknown, change: Mutation): unknown {
  change(tree);
  return tree;
}

/** Whatever a program writes to this throws: the tests are strict mode code. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    if (!ArrayBuffer.isView(value)) Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

/** Settings, or undefined after looking at the refusal. */
function load(raw: RawSettings): Settings | undefined {
  try {
    return loadSettings(frozen(raw));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    checkRefusal(error);
    return undefined;
  }
}

const PROBLEM =
  /^((proxmox|defaults|nodes|waivers)\b.*: .*|.+: not a key of this program); (allowed: |needs |leave it out).*$/;
const HEAD = /^\d+ problems? in the configuration; nothing was changed:$/;

/** One line a problem, each with a field, and nothing that moves a cursor or looks like a stack. */
function checkRefusal({ message, stack, problems }: ConfigError): void {
  const [head = "", ...lines] = message.split("\n  ");
  const good =
    HEAD.test(head) &&
    lines.length === problems.length &&
    problems.length > 0 &&
    lines.every((line) => PROBLEM.test(line) && !/\p{Cc}/u.test(line)) &&
    stack === message &&
    !/^\s*at .*[.:]\d+:\d+\)?$/m.test(message);
  // One condition instead of many expectations: this runs thousands of times.
  if (!good) throw new Error(`not a refusal to act upon: ${JSON.stringify(message)}`);
}

const accepted: NodeConfig[] = [];

/** Everything that puts values in front of a script. */
const STEPS = [
  steps.bootStep,
  steps.storageStep,
  steps.installStep,
  steps.daemonStep,
  steps.accessStep,
  steps.hardeningStep,
  steps.firewallStep,
  steps.confirmFirewallStep,
];

test(`${MUTATED} mutations of a valid configuration are read or refused, with nothing in between`, () => {
  expect(load(VALID)).toBeDefined();
  const found = new Map<string, NodeConfig>();
  const property = fc.property(mutated, (raw) => {
    for (const node of Object.values(load(raw)?.nodes ?? {})) found.set(JSON.stringify(node), node);
  });
  fc.assert(property, { seed, numRuns: MUTATED });
  accepted.push(...found.values());
  expect(accepted.length).toBeGreaterThan(MUTATED / 40);
});

test(`${JUNK} times anything at all is refused`, () => {
  const tree = fc.oneof(junk, fc.dictionary(text, junk));
  const property = fc.property(tree, tree, tree, (proxmox, defaults, nodes) => {
    expect(load({ proxmox, defaults, nodes })).toBeUndefined();
  });
  fc.assert(property, { seed, numRuns: JUNK });
});

describe("a shell", () => {
  interface Case {
    readonly script: ScriptName;
    readonly variables: ShellVariables;
  }

  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "docker-node-shell-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Real bash on its standard input, as on a node, in an empty directory and with no program to find. */
  function bash(input: string, ...options: string[]): Buffer {
    const env = { PATH: folder, LC_ALL: "C.UTF-8" };
    const run = spawnSync("/bin/bash", ["--norc", ...options, "-s"], {
      input,
      cwd: folder,
      env,
      maxBuffer: 2 ** 28,
    });
    expect({ status: run.status, stderr: run.stderr.toString() }).toEqual({
      status: 0,
      stderr: "",
    });
    expect(readdirSync(folder)).toEqual([]);
    return run.stdout;
  }

  /** What stands before the script's own text; that text is the same whatever the values are. */
  function prelude(script: ScriptName, variables: ShellVariables): string {
    const whole = renderScript(script, variables);
    const body = renderScript(script, {});
    if (!whole.endsWith(`\n${body}`)) throw new Error(`${script} differs from itself`);
    return whole.slice(0, -body.length);
  }

  /** Assigns in a shell and compares what arrives, byte by byte. */
  function roundTrip(cases: readonly Case[]): void {
    const lines: string[] = [];
    const expected: string[] = [];
    for (const { script, variables } of cases) {
      const set = Object.entries(variables).filter(([, value]) => value !== undefined);
      if (set.length === 0) continue;
      lines.push(prelude(script, variables));
      lines.push(`printf '%s\\0' ${set.map(([name]) => `"$${name}"`).join(" ")}`);
      expected.push(...set.map(([, value]) => `${String(value)}\0`));
    }
    const found = bash(`${lines.join("\n")}\n`);
    // Not `toEqual`: it would print megabytes.
    if (!found.equals(Buffer.from(expected.join("")))) throw new Error(firstDifference());

    function firstDifference(): string {
      const values = found.toString().split("\0");
      const index = expected.findIndex((value, n) => value !== `${values[n] ?? ""}\0`);
      return `${JSON.stringify(expected[index])} arrived as ${JSON.stringify(values[index])}`;
    }
  }

  function distinct(cases: readonly Case[]): Case[] {
    return [...new Map(cases.map((one) => [JSON.stringify(one), one])).values()];
  }

  const steps = (): Case[] => distinct(accepted.flatMap((node) => STEPS.map((step) => step(node))));

  test("takes every accepted value literally, byte by byte", () => {
    roundTrip(steps());
  });

  test("takes any text without NUL literally", () => {
    const values = fc.sample(text, { seed, numRuns: times(600) }).filter((value) => {
      return !value.includes("\0") && Buffer.from(value).toString() === value;
    });
    roundTrip(values.map((VALUE) => ({ script: "boot", variables: { VALUE } })));
  });

  test("reads every script with accepted values in front as a script", () => {
    const some = steps().filter((_, index) => index % 20 === 0);
    const all = some.map(({ script, variables }) => renderScript(script, variables));
    bash(all.slice(0, 150).join("\n"), "-n");
  });
});

describe("what is accepted", () => {
  const each = (check: (node: NodeConfig) => void): void => {
    expect(accepted.length).toBeGreaterThan(0);
    accepted.forEach(check);
  };

  test("is ssh options of which none can be read as another", () => {
    each((node) => {
      const [flag, file = "", ...options] = sshOptions(node, HOST_KEY);
      expect(flag).toBe("-i");
      // ssh expands tokens and variables in this argument (ssh_config(5), TOKENS, ENVIRONMENT VARIABLES).
      expect(file).toMatch(/^(?!-)[^%\p{Cc}]+$/u);
      expect(file).not.toContain("${");
      expect(options.filter((_, index) => index % 2 === 0).every((o) => o === "-o")).toBe(true);
      expect(options).toContain(`KnownHostsCommand=/bin/echo %H ${HOST_KEY}`);
      if (node.ssh.hostKey)
        expect(sshOptions(node, node.ssh.hostKey).join("\n")).toMatch(
          /KnownHostsCommand=\/bin\/echo %H [\w@.-]+ [A-Za-z0-9+/=]+$/m,
        );
    });
  });

  test("is a Docker URL that means the declared user, host and port", () => {
    each((node) => {
      const { username, hostname, port, pathname, search } = new URL(dockerHostUrl(node));
      const { host, port: declared } = node.ssh.endpoint ?? { host: hostname, port: 22 };
      expect([username, hostname, port]).toEqual([node.ssh.user, host, String(declared)]);
      expect(pathname + search).toBe("");
    });
  });

  test("is a daemon.json that means what was declared", () => {
    each(({ engine }) => {
      expect(JSON.parse(renderDaemonJson(engine.daemon))).toEqual(engine.daemon);
    });
  });

  test("is nothing that ends a field of Proxmox's property strings or of apt's sources", () => {
    each((node) => {
      const { description, initialization, ...rest } = vmArgs("node", node, {
        imageVolumeId: "local:import/a.qcow2",
      });
      // Proxmox strips these, so that they would come back as a difference.
      expect(description).toBe((description as string).trim());
      const { userAccount, ...cloudInit } = initialization as Tree;
      const { mirror = "", distributionMirror = "" } = node.engine;
      const wrong = [
        // A list of VLANs is the one value that has a separator (trunks).
        ...stringsOf([rest, cloudInit]).filter(
          (value) => !/^([\w.:/@+-]*|\d+(;\d+)+)$/.test(value),
        ),
        ...stringsOf([userAccount, firewallRules(node)]).filter((value) => /[\n\r\0]/.test(value)),
        ...[mirror, distributionMirror].filter((url) => /[\s'"\\]/.test(url)),
      ];
      expect(wrong).toEqual([]);
    });
  });

  const stringsOf = (value: unknown): string[] =>
    typeof value === "object" && value !== null
      ? Object.values(value).flatMap(stringsOf)
      : typeof value === "string"
        ? [value]
        : [];
});

describe("addresses", () => {
  const octet = fc.nat(255);
  const address = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join("."));
  const cidr = fc.tuple(address, fc.nat(32)).map(([base, prefix]) => `${base}/${prefix}`);
  const always = (check: (a: string, b: string, c: string) => void): void => {
    fc.assert(fc.property(cidr, cidr, cidr, check), { seed, numRuns: times(600) });
  };
  const numberOf = (dotted: string): number =>
    dotted.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const range = (net: string): [number, number] => {
    const [base = "", prefix = ""] = toCanonical(net).split("/");
    return [numberOf(base), numberOf(base) + 2 ** (32 - Number(prefix)) - 1];
  };

  test("are accepted only in their canonical form", () => {
    const number = fc.oneof(
      octet.map(String),
      fc.constantFrom("00", "010", "0x1", "256", "-1", ""),
    );
    const written = fc.tuple(number, number, number, number, number);
    const check = ([a, b, c, d, prefix]: string[]): void => {
      const host = [a, b, c, d].join(".");
      const net = `${host}/${prefix ?? ""}`;
      if (isAddress(host)) expect(addressOf(`${host}/32`)).toBe(host);
      if (isCidr(net)) expect(`${addressOf(net)}/${Number(prefix)}`).toBe(net);
    };
    fc.assert(fc.property(written, check), { seed, numRuns: times(600) });
    expect(isCidr("010.25.20.24/24") || isCidr("10.25.20.24/024")).toBe(false);
  });

  test("canonical form is reached once and for all", () => {
    always((a) => {
      expect(toCanonical(toCanonical(a))).toBe(toCanonical(a));
      expect(contains(toCanonical(a), addressOf(a))).toBe(true);
    });
  });

  test("overlap and containment agree with the ranges of numbers", () => {
    always((a, b) => {
      const [[aLow, aHigh], [bLow, bHigh]] = [range(a), range(b)];
      expect(overlaps(a, b)).toBe(aLow <= bHigh && bLow <= aHigh);
      expect(overlaps(a, b)).toBe(overlaps(b, a));
      expect(contains(a, b)).toBe(aLow <= bLow && bHigh <= aHigh);
      if (contains(a, b)) expect(overlaps(a, b)).toBe(true);
    });
  });

  test("an IPv6 network holds its first host, and nothing of a network beside it", () => {
    const group = fc.nat(0xffff).map((number) => number.toString(16));
    const address6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((all) => all.join(":"));
    const check = (base: string, length: number, other: string): void => {
      const net = toCanonical(`${base}/${length}`);
      const first = firstHost(net);
      expect(toCanonical(net)).toBe(net);
      expect(isHostOf(net, first)).toBe(true);
      expect(isHostOf(net, addressOf(net))).toBe(length >= 127);
      expect(contains(net, other)).toBe(toCanonical(`${other}/${length}`) === net);
      expect(overlaps(net, other)).toBe(contains(net, other));
    };
    const length = fc.integer({ min: 1, max: 127 });
    fc.assert(fc.property(address6, length, address6, check), { seed, numRuns: times(600) });
  });

  test("containment is transitive", () => {
    always((a, b, c) => {
      if (contains(a, b) && contains(b, c)) expect(contains(a, c)).toBe(true);
      expect(contains(a, a)).toBe(true);
    });
  });
});

describe("merging", () => {
  const key = fc.constantFrom("a", "b", "c", "image", "__proto__", "constructor", "toString");
  const { tree } = fc.letrec<{ tree: Tree; value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(1, "x", true),
      fc.array(fc.nat(), { maxLength: 2 }),
      tie("tree"),
    ),
    tree: fc
      .array(fc.tuple(key, tie("value")), { maxLength: 4 })
      .map((entries) => Object.fromEntries<unknown>(entries)),
  }));
  const always = (check: (a: Tree, b: Tree, c: Tree) => void): void => {
    fc.assert(fc.property(tree, tree, tree, check), { seed, numRuns: times(400) });
  };

  test("changes neither side, and no object's prototype", () => {
    always((a, b) => {
      const result = merge(frozen(a), frozen(b)) as Tree;
      expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
      expect(({} as Tree).a).toBeUndefined();
      expect(new Set(Object.keys(result))).toEqual(new Set([...Object.keys(a), ...Object.keys(b)]));
    });
  });

  test("an empty or equal override changes nothing, and null removes", () => {
    always((a) => {
      expect(merge(a, {})).toEqual(a);
      expect(merge({}, a)).toEqual(a);
      expect(merge(a, a)).toEqual(a);
      const gone = Object.fromEntries(Object.keys(a).map((name) => [name, null]));
      expect(merge(a, gone)).toEqual({});
    });
  });

  // Only while a map stays a map: a text between two maps hides the first from the second either way.
  test("of three is the same from either end, where all are maps throughout", () => {
    const level = fc.dictionary(key, fc.constantFrom(1, 2, 3), { maxKeys: 4 });
    const nested = fc.dictionary(fc.constantFrom("m", "n"), level, { maxKeys: 2 });
    const check = (a: Tree, b: Tree, c: Tree): void => {
      expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
    };
    fc.assert(fc.property(nested, nested, nested, check), { seed, numRuns: times(400) });
  });
});
