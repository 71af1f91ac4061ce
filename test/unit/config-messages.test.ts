import { z } from "zod";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { ConfigError, type Problem } from "../../config/problems";
import { nodeSchema, proxmoxSchema } from "../../config/schema";
import { composeSchema } from "../../config/schema/compose";
import { waiversSchema } from "../../config/schema/waivers";
import { stackWorkloadsSchema } from "../../config/schema/workloads";
import { REASONS } from "../../config/unknown-keys";
import { prodWith, problems } from "../support/settings";

/*
 * What a user is told: every field of the schema is given values it cannot have, and each refusal has to be
 * in words.
 */

interface Schema {
  readonly const?: unknown;
  readonly properties?: Record<string, Schema>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

type Path = readonly (string | number)[];

/** A field, and what has to stand beside it for its branch of a union to be meant. */
interface Field {
  readonly path: Path;
  readonly beside: readonly (readonly [Path, unknown])[];
}

/** A key that is a name wherever one is wanted. */
const NAME = "sample";

function fieldsOf(schema: Schema, path: Path = [], beside: Field["beside"] = []): Field[] {
  const properties = Object.entries(schema.properties ?? {});
  const marks = properties.flatMap(([key, { const: mark }]) =>
    mark === undefined ? [] : [[[...path, key], mark] as const],
  );
  const within = [...beside, ...marks];
  const map = typeof schema.additionalProperties === "object" ? schema.additionalProperties : {};
  return [
    ...(path.length > 0 ? [{ path, beside }] : []),
    ...properties.flatMap(([key, inner]) => fieldsOf(inner, [...path, key], within)),
    ...(map === schema.additionalProperties ? fieldsOf(map, [...path, NAME], within) : []),
    ...(schema.items ? fieldsOf(schema.items, [...path, 0], within) : []),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((branch) =>
      fieldsOf(branch, path, within),
    ),
  ];
}

const jsonSchema = (schema: z.ZodType): Schema =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema;

const unique = (fields: Field[]): Field[] => [
  ...new Map(fields.map((field) => [JSON.stringify(field), field])).values(),
];

const NODE = unique(fieldsOf(jsonSchema(nodeSchema)));
const PROXMOX = unique(fieldsOf(jsonSchema(proxmoxSchema)));

/** The sections of a stack beside its nodes. */
const SECTIONS = {
  waivers: waiversSchema,
  workloads: stackWorkloadsSchema,
  compose: composeSchema,
} as const;
const STACK = Object.entries(SECTIONS).flatMap(([section, schema]) =>
  unique(fieldsOf(jsonSchema(schema))).map((field) => [section, field] as const),
);

/** Of every type, and of the right type too. */
const BAD: readonly unknown[] = [
  true,
  -1,
  0,
  1.5,
  1e300,
  "",
  " ",
  "☃ no such thing;\n$(x)",
  "/",
  "x".repeat(20_000),
  [],
  [[]],
  [true, 7, "☃"],
  {},
  { "☃": "☃" },
];

function written(base: unknown, { path, beside }: Field, value: unknown): unknown {
  const marked = beside.reduce((tree, [place, mark]) => set(tree, place, mark), base);
  return set(marked, path, value);
}

function set(tree: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  if (typeof key === "number") return [set(undefined, rest, value)];
  const map = typeof tree === "object" && tree !== null ? (tree as Record<string, unknown>) : {};
  return { ...map, [key]: set(map[key], rest, value) };
}

function refusal(raw: RawSettings): ConfigError | undefined {
  try {
    loadSettings(raw);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  return undefined;
}

/** Words of a validator, and anything that looks like a pattern. */
const RAW =
  /invalid|expected|pattern|(?<!-)regex|\^|\\d|\\w|\[a-z|\]\+|\)\$|\(\?|\bstring \(|zod|record\b/i;

function badly({ allowed, path }: Problem): boolean {
  return RAW.test(allowed) || allowed.trim() === "" || path.length === 0;
}

const rawWords = (error?: ConfigError): string[] =>
  (error?.problems ?? []).filter(badly).map((one) => `${one.path.join(".")}: ${one.allowed}`);

/** The problems a value brings that the same file does not have without it. */
function check(field: Field, value: unknown, raw: RawSettings, prefix: Path): string[] {
  const error = refusal(raw);
  if (!error) return [];
  // The field itself, what is inside it, or what does not go with it elsewhere in its section.
  const section = [...prefix, ...field.path.slice(0, 2)].map(String);
  const here = error.problems.filter(({ path }) => {
    const shown = path.map(String);
    return section.every((key, at) => shown[at] === key || shown.length <= at);
  });
  const bad = rawWords(error);
  return here.length > 0 ? bad : [...bad, `not named for ${JSON.stringify(value).slice(0, 40)}`];
}

const { proxmox, defaults } = prodWith({});

test("there are fields to look at", () => {
  expect(NODE.length).toBeGreaterThan(120);
  expect(PROXMOX.length).toBeGreaterThan(6);
  expect(STACK.length).toBeGreaterThan(40);
});

test.each(NODE.map((field) => [field.path.join("."), field] as const))("%s", (_name, field) => {
  const said = BAD.flatMap((value) => {
    const own = written(defaults, field, value);
    return check(field, value, { proxmox, nodes: { one: own } }, ["nodes", "one"]);
  });
  expect([...new Set(said)]).toEqual([]);
});

test.each(PROXMOX.map((field) => [field.path.join("."), field] as const))(
  "proxmox.%s",
  (_name, field) => {
    const said = BAD.flatMap((value) => {
      const own = written(proxmox, field, value);
      return check(field, value, { ...prodWith({}), proxmox: own }, ["proxmox"]);
    });
    expect([...new Set(said)]).toEqual([]);
  },
);

test.each(
  STACK.map(([section, field]) => [`${section}.${field.path.join(".")}`, section, field] as const),
)("%s", (_name, section, field) => {
  const said = BAD.flatMap((value) => {
    const own = written(undefined, field, value);
    // What has to stand beside the field is missing too, so which one is named is not looked at.
    return rawWords(refusal({ ...prodWith({}), [section]: own }));
  });
  expect([...new Set(said)]).toEqual([]);
});

describe("what is allowed", () => {
  const said = (override: unknown): string => problems(prodWith(override)).join("\n");

  test.each([
    ["a driver", { networks: { lan: { driver: "overlay" } } }, /driver: "overlay"; .*"bridge"/],
    ["a tag", { machine: { tags: ["Über"] } }, /tags.0: "Über"; allowed: a tag of lower-case/],
    ["a name too short", { networks: { m: {} } }, /networks.m: .*two characters or more/],
    ["an empty list", { ssh: { publicKeys: [] } }, /publicKeys: \[\]; allowed: at least 1 entry$/],
    ["a source", { network: { firewall: { rules: [{ source: "x" }] } } }, /source: "x"; .*prefix/],
    [
      "a driver that people try",
      { networks: { lan: { driver: "host" } } },
      /driver: "host"; allowed: "bridge", "macvlan" or "ipvlan"; not host: Docker has it already/,
    ],
    [
      "an IPv6 name server",
      { network: { dnsServers: ["fd00:20::53"] } },
      /dnsServers.0: "fd00:20::53"; allowed: an IPv4 address: the node reaches no other without network\.ipv6 or ipv6 of one of network\.nics$/,
    ],
    [
      "an IPv6 subnet",
      { networks: { lan: { subnet: "fd00:30::/64" } } },
      /lan.subnet: "fd00:30::\/64"; allowed: an IPv4 address with prefix .*#ipv6$/m,
    ],
    [
      "an IPv6 source that carries an IPv4 one",
      { network: { firewall: { rules: [{ source: "::ffff:10.25.10.5" }] } } },
      /rules.0.source: "::ffff:10.25.10.5"; allowed: an IPv4 or IPv6 address, such as 10.25.10.11/,
    ],
    [
      "a source with host bits",
      { network: { firewall: { rules: [{ source: "10.25.10.5/24", port: "80" }] } } },
      /rules.0.source: "10.25.10.5\/24"; allowed: the network itself: 10.25.10.0\/24$/,
    ],
    [
      "an IPv6 source with host bits",
      { network: { firewall: { rules: [{ source: "FD25:10::5/64", port: "80" }] } } },
      /rules.0.source: "FD25:10::5\/64"; allowed: the network itself: fd25:10::\/64$/,
    ],
    [
      "an IPv6 source whose length nft reads as octal",
      { network: { firewall: { rules: [{ source: "fd25:10::/064", port: "80" }] } } },
      /rules.0.source: "fd25:10::\/064"; allowed: an IPv4 or IPv6 address, such as/,
    ],
    [
      "management networks with host bits",
      { network: { firewall: { managementNetworks: ["10.25.10.5/24"] } } },
      /managementNetworks.0: "10.25.10.5\/24"; allowed: the network itself: 10.25.10.0\/24$/,
    ],
    [
      "IPv6 management networks with host bits",
      { network: { firewall: { managementNetworks: ["10.25.10.0/24", "fd25:10::5/64"] } } },
      /managementNetworks.1: "fd25:10::5\/64"; allowed: the network itself: fd25:10::\/64$/,
    ],
    [
      "a port that nft reads as octal",
      { network: { firewall: { rules: [{ port: "0443" }] } } },
      /rules.0.port: "0443"; allowed: a port or range without leading zeros, such as "443"/,
    ],
    [
      "a range that nft reads as octal",
      { network: { firewall: { rules: [{ port: "443:0900" }] } } },
      /rules.0.port: "443:0900"; allowed: a port or range without leading zeros/,
    ],
    [
      "several ports in one rule",
      { network: { firewall: { rules: [{ port: [80, 443] }] } } },
      /rules.0.port: \[80,443\]; allowed: a port or range as a text, .*; write a rule for each$/,
    ],
    [
      "several ports in one text",
      { network: { firewall: { rules: [{ port: "80,443" }] } } },
      /rules.0.port: "80,443"; allowed: a port or range .*; write a rule for each$/,
    ],
    [
      "a port without quotes",
      { network: { firewall: { rules: [{ port: 80 }] } } },
      /rules.0.port: 80; allowed: a port or range as a text, such as "443" or "8000:8010"$/,
    ],
    [
      "several sources in one rule",
      { network: { firewall: { rules: [{ source: ["10.0.0.0/8"], port: "80" }] } } },
      /rules.0.source: \["10.0.0.0\/8"\]; allowed: an IPv4 or IPv6 address, .*; write a rule for each$/,
    ],
    ["one of two", { primary: 5 }, /primary: 5; allowed: a text, or a map of keys/],
    ["a huge number", { machine: { vmId: 1e300 } }, /^[^\n]*vmId: .*at most 999999999$/],
  ])("%s", (_what, override, expected) => {
    expect(said(override)).toMatch(expected);
  });

  test("every message shows the text that is in the configuration", () => {
    const nodes = { one: merge(defaults, { machine: { cpu: { cores: 4096 } } }) };
    expect(problems({ proxmox, nodes })).toEqual([
      "nodes.one.machine.cpu.cores: 4096; allowed: at most 128",
    ]);
  });
});

describe("a key that users may try", () => {
  const refused = (override: object): string => problems(prodWith(override)).join("\n");

  test.each([
    [
      { network: { mac: "BC:24:11:00:20:24" } },
      'network.mac: "BC',
      /network\.macAddress is its name/,
    ],
    [{ network: { interfaces: [] } }, "network.interfaces: []", /network\.nics lists further NICs/],
    [
      { network: { address6: "fd25:10::19/64" } },
      'network.address6: "fd25:10::19/64"',
      /network\.ipv6 has the IPv6 address/,
    ],
    [
      { network: { firewall: { rules: [{ ports: ["80", "443"] }] } } },
      "network.firewall.rules.0.ports",
      /a rule for each/,
    ],
    [
      { network: { firewall: { containerPorts: ["443"] } } },
      "network.firewall.containerPorts",
      /network\.firewall\.rules opens it/,
    ],
    [
      {
        networks: {
          lan: {
            ...{ driver: "ipvlan", parent: "eth0", vlan: 30, mtu: 9000 },
            ...{ subnet: "10.25.30.0/24", gateway: "10.25.30.1" },
          },
        },
      },
      "networks.lan.mtu: 9000",
      /only a bridge has one.* MTU of the node's NIC/,
    ],
    [
      { volumes: { nfs: { driverOpts: { type: "nfs" } } } },
      "volumes.nfs.driverOpts",
      /docker\.Volume/,
    ],
    [{ network: { trunks: [30] } }, "network.trunks: [30]", /networks\.<name>\.vlan/],
    [
      { network: { nics: [{ address: "10.25.30.24/24", vlan: 30, gateway: "10.25.30.1" }] } },
      'network.nics.0.gateway: "10.25.30.1"',
      /one default route/,
    ],
    [
      { networks: { "development-secondary": { enable_ipv6: true } } },
      "networks.development-secondary.enable_ipv6: true",
      /networks\.<name>\.ipv6 .* subnet: fd25:28::\/64/,
    ],
    [
      { networks: { "development-secondary": { subnet6: "fd25:28::/64" } } },
      "networks.development-secondary.subnet6",
      /networks\.<name>\.ipv6 /,
    ],
    [
      { networks: { "development-secondary": { driver_opts: { a: "b" } } } },
      "networks.development-secondary.driver_opts",
      /default-network-opts/,
    ],
    [{ volumes: { nfs: { options: { type: "nfs" } } } }, "volumes.nfs.options", /docker\.Volume/],
    [{ ssh: { proxyCommand: "nc" } }, 'ssh.proxyCommand: "nc"', /ssh\.endpoint/],
    [{ machine: { disk: { interface: "virtio0" } } }, "machine.disk.interface", /scsi0/],
    [
      { machine: { image: { checksumAlgorithm: "sha512" } } },
      "machine.image.checksumAlgorithm",
      /sha256 or sha512 has the checksum/,
    ],
    [{ ssh: { bastion: "jump" } }, 'ssh.bastion: "jump"', /ssh\.endpoint/],
    [{ machine: { cpu: { sockets: 2 } } }, "machine.cpu.sockets: 2", /override\.machine\.cpu/],
    [
      { machine: { upgrade: false } },
      "machine.upgrade: false",
      /only root@pam .*--ciupgrade 0 on a template/,
    ],
    [{ machine: { ha: true } }, "machine.ha: true", /machine\.highAvailability/],
    [{ machine: { migrate: true } }, "machine.migrate: true", /qm migrate/],
    [{ machine: { gpu: true } }, "machine.gpu: true", /hostpcis .*Mapping\.Use/],
    [{ engine: { containerd: "2.1" } }, 'engine.containerd: "2.1"', /release of Docker/],
  ])("%j is refused with the way around", (override, place, way) => {
    expect(refused(override)).toContain(`nodes.proj-docker02.${place}`);
    expect(refused(override)).toMatch(/not a key of this section; /);
    expect(refused(override)).toMatch(way);
  });

  test("the host network is refused, for networks and for workloads, with the reason", () => {
    expect(refused({ networks: { lan: { driver: "host" } } })).toMatch(
      /driver: "host"; allowed: "bridge", "macvlan" or "ipvlan"; not host: .*shares all ports of the node/,
    );
    const way = /workloads\.web\.networkMode: "host".* not a key .*ports and networks say/;
    expect(refused({ workloads: { web: { networkMode: "host" } } })).toMatch(way);
  });

  // One of them is a key of bridges, and refused of the other drivers.
  const NO_KEYS = Object.entries(REASONS).filter(([key]) => key !== "networks.*.mtu");

  test.each(NO_KEYS)("%s is no key, and is refused with: %s", (key, reason) => {
    // A name of the user's, or a place in a list.
    const any = /^(networks|volumes|workloads)\.\*\./.test(key) ? NAME : 0;
    const path = key.split(".").map((part) => (part === "*" ? any : part));
    expect(NODE.map((field) => field.path.join("."))).not.toContain(path.join("."));
    const own = written(defaults, { path, beside: [] }, "x");
    const said = problems({ proxmox, nodes: { one: own } }).join("\n");
    const place = `nodes.one.${path.join(".")}: "x"`;
    expect(said).toContain(`${place}; allowed: not a key of this section; ${reason}`);
  });

  test("in the defaults of all nodes, too", () => {
    const raw = prodWith({});
    const defaults = merge(raw.defaults, { ssh: { proxyJump: "jump" } });
    expect(problems({ ...raw, defaults }).join("\n")).toMatch(/ssh\.proxyJump.*ssh\.endpoint/);
  });

  test("any other unknown key refers to the reference", () => {
    expect(refused({ machine: { colour: "red" } })).toContain(
      "not a key of this section; see docs/reference/configuration.md",
    );
  });
});
