import { adoptNetwork } from "../../components/shared/adoption";
import { contains, firstHost, isHostOf, overlaps, toCanonical } from "../../config/cidr";
import { merge } from "../../config/load";
import { prodNode, prodWith, problems, waived } from "../support/settings";

/* IPv6 of declared networks: what is allowed, and what it has to agree with. */

const AT = "nodes.proj-docker02.";
const found = (override: unknown): string[] =>
  problems(waived(prodWith(override))).map((problem) => problem.replace(AT, ""));
const bridge = (ipv6: unknown, more: object = {}): object => ({
  networks: { extra: { subnet: "172.20.0.0/24", ipv6, ...more } },
});
const lan = (ipv6: object, driver = "macvlan"): object => ({
  networks: {
    lan: {
      ...{ driver, parent: "eth0", vlan: 30 },
      ...{ subnet: "10.25.30.0/24", gateway: "10.25.30.1" },
      ipv6: { subnet: "fd25:30::/64", gateway: "fd25:30::1", ...ipv6 },
    },
  },
});
const daemon = (keys: object, version?: string): object => ({
  engine: { ...(version ? { version } : {}), daemon: keys },
});

describe("addresses of IPv6", () => {
  test.each([
    ["fd25:28::/64", "fd25:28::1"],
    ["FD25:28::9/64", "fd25:28::1"],
    ["fd25:28::fe/127", "fd25:28::fe"],
    ["fd25:28::ff00/120", "fd25:28::ff01"],
  ])("the first host of %s is %s", (cidr, host) => {
    expect(firstHost(cidr)).toBe(host);
  });

  test("one spelling, that of RFC 5952", () => {
    expect(toCanonical("FD25:0028:0:0:1:0:0:9/48")).toBe("fd25:28::/48");
  });

  test("have nothing in common with those of IPv4", () => {
    expect(overlaps("::/0", "0.0.0.0/0")).toBe(false);
    expect(contains("::/0", "10.25.20.24")).toBe(false);
    expect(contains("fd25::/16", "fd25:28::/64")).toBe(true);
    expect(overlaps("fd25:28::/64", "fd25::/16")).toBe(true);
    expect(overlaps("fd25:28::/64", "fd25:29::/64")).toBe(false);
  });

  test("have no broadcast, and a base that is no host's", () => {
    expect(isHostOf("fd25:28::/120", "fd25:28::ff")).toBe(true);
    expect(isHostOf("fd25:28::/120", "fd25:28::")).toBe(false);
    expect(isHostOf("fd25:28::/120", "fd25:28::0:0")).toBe(false);
    expect(isHostOf("fd25:28::/127", "fd25:28::")).toBe(true);
    expect(isHostOf("fd25:28::/120", "fd25:28::100")).toBe(false);
  });
});

describe("IPv6 of a network", () => {
  test.each([
    ["a bridge", bridge({ subnet: "fd25:28::/64" })],
    ["a bridge with a gateway", bridge({ subnet: "fd25:28::/126", gateway: "fd25:28::2" })],
    ["global addresses", bridge({ subnet: "2001:db8:28::/64" })],
    ["an isolated bridge", bridge({ subnet: "fd25:28::/64" }, { isolated: true, internal: true })],
    ["a macvlan", lan({ range: "fd25:30::8000/113", excluded: { nas: "fd25:30::8009" } })],
    ["an ipvlan", lan({}, "ipvlan")],
  ])("is right: %s", (_what, override) => {
    expect(found(override)).toEqual([]);
  });

  const HOSTS = "in fc00::/7 or 2000::/3";
  test.each<[string, unknown, string]>([
    ["no map", true, "true; allowed: a map with the subnet, such as { subnet: fd25:28::/64 }"],
    ["no subnet", {}, "subnet: missing; allowed: "],
    ["IPv4", { subnet: "172.20.1.0/24" }, "allowed: an IPv6 network with prefix length, such as"],
    ["no prefix length", { subnet: "fd25:28::" }, "allowed: an IPv6 network with prefix length"],
    ["a zone", { subnet: "fe80::%eth0/64" }, "allowed: an IPv6 network with prefix length"],
    ["multicast", { subnet: "ff05::/64" }, `allowed: a network of hosts, ${HOSTS}`],
    ["link-local", { subnet: "fe80::/64" }, `allowed: a network of hosts, ${HOSTS}`],
    ["loopback", { subnet: "::1/128" }, `allowed: a network of hosts, ${HOSTS}`],
    ["all of it", { subnet: "::/0" }, `allowed: a network of hosts, ${HOSTS}`],
    ["carried IPv4", { subnet: "::ffff:10.0.0.0/104" }, `allowed: a network of hosts, ${HOSTS}`],
    ["more than local addresses", { subnet: "fc00::/6" }, `a network of hosts, ${HOSTS}`],
    ["room for nobody", { subnet: "fd25:28::/127" }, "allowed: a prefix length of 126 at most"],
    [
      "another spelling",
      { subnet: "FD25:28:0::/64" },
      "allowed: the network itself, as RFC 5952 and Docker spell it: fd25:28::/64",
    ],
    ["host bits", { subnet: "fd25:28::1/64" }, "allowed: the network itself, .*: fd25:28::/64"],
    [
      "a gateway in another spelling",
      { subnet: "fd25:28::/64", gateway: "fd25:28:0::1" },
      "gateway: .* allowed: fd25:28::1, as RFC 5952 and Docker spell it",
    ],
    [
      "a link-local gateway",
      { subnet: "fd25:28::/64", gateway: "fe80::1" },
      `gateway: .* allowed: an address of a host, ${HOSTS}`,
    ],
    [
      "an IPv4 gateway",
      { subnet: "fd25:28::/64", gateway: "172.20.0.1" },
      "gateway: .* allowed: an IPv6 address, such as",
    ],
    [
      "a gateway elsewhere",
      { subnet: "fd25:28::/64", gateway: "fd25:29::1" },
      'gateway: "fd25:29::1"; allowed: a host address of fd25:28::/64',
    ],
    [
      "a gateway that is the base",
      { subnet: "fd25:28::/64", gateway: "fd25:28::" },
      "gateway: .* allowed: a host address of fd25:28::/64",
    ],
  ])("is refused: %s", (_what, ipv6, allowed) => {
    const said = found(bridge(ipv6));
    expect(said).toEqual([expect.stringMatching(/^networks\.extra\.ipv6/)]);
    expect(said[0]).toMatch(new RegExp(allowed.replace(/[{}]/g, "\\$&")));
  });

  test.each<[string, object, string]>([
    ["no gateway", { gateway: null }, "gateway: missing; allowed: "],
    [
      "a range elsewhere",
      { range: "fd25:31::/80" },
      'range: "fd25:31::/80"; allowed: a part of fd25:30::/64',
    ],
    [
      "an excluded address elsewhere",
      { excluded: { nas: "fd25:31::9" } },
      'excluded.nas: "fd25:31::9"; allowed: a host address of fd25:30::/64',
    ],
  ])("of a macvlan is refused: %s", (_what, ipv6, said) => {
    expect(found(lan(ipv6))).toEqual([expect.stringContaining(`networks.lan.ipv6.${said}`)]);
  });

  test("is not what a bridge has no word for", () => {
    const ipv6 = { subnet: "fd25:28::/64", range: "fd25:28::/80" };
    expect(found(bridge(ipv6))).toEqual([
      expect.stringMatching(/^networks\.extra\.ipv6\.range: .* not a key of this section/),
    ]);
  });
});

describe("an IPv6 subnet overlaps", () => {
  const clash = (override: object): string[] =>
    found(merge(bridge({ subnet: "fd25:28::/64" }), override));
  const saying = (other: string): string[] => [
    `networks.extra.ipv6.subnet: "fd25:28::/64"; allowed: a subnet that does not overlap ${other}`,
  ];

  test("another network's", () => {
    const networks = { other: { subnet: "172.21.0.0/24", ipv6: { subnet: "fd25::/16" } } };
    expect(clash({ networks })).toEqual([
      'networks.other.ipv6.subnet: "fd25::/16"; allowed: a subnet that does not overlap networks.extra (fd25:28::/64)',
    ]);
  });

  test.each([
    ["docker0's", { ipv6: true, "fixed-cidr-v6": "fd25:28::/80" }, "docker0 (fd25:28::/80)"],
    ["docker0's own", { ipv6: true, bip6: "fd25:28::1/80" }, "docker0 (fd25:28::1/80)"],
    [
      "an address pool's",
      {
        "default-address-pools": [
          { base: "172.18.0.0/16", size: 24 },
          { base: "fd25::/16", size: 64 },
        ],
      },
      "default-address-pools.1 (fd25::/16)",
    ],
  ])("%s", (_what, keys, other) => {
    expect(clash(daemon(keys))).toEqual(saying(other));
  });
});

describe("what the node has to reach", () => {
  const mirror = { engine: { mirror: "http://[fd25:28::5]/docker" } };

  test("is not in a bridge's IPv6 subnet", () => {
    expect(found(merge(bridge({ subnet: "fd25:28::/64" }), mirror))).toEqual([
      'networks.extra.ipv6.subnet: "fd25:28::/64"; allowed: a subnet without the addresses that the node has to reach: fd25:28::5 (engine.mirror)',
    ]);
  });

  test("is given to no container of a macvlan", () => {
    const on = { subnet: "fd25:28::/64", gateway: "fd25:28::1" };
    const handed = "with fd25:28::5 (engine.mirror), or a range without";
    expect(found(merge(lan(on), mirror))).toEqual([
      `networks.lan.ipv6.excluded: {}; allowed: ${handed}: Docker would give it to a container`,
    ]);
    const kept = { ...on, excluded: { mirror: "fd25:28::5" } };
    expect(found(merge(lan(kept), mirror))).toEqual([]);
    expect(found(merge(lan({ ...on, range: "fd25:28::8000/113" }), mirror))).toEqual([]);
  });

  test("is the node's router too, unless that is link-local", () => {
    const behind = (gateway: string): object => ({
      network: { ipv6: { address: "fd25:20::24/64", gateway } },
    });
    const on = { subnet: "fd25:20::/64", gateway: "fd25:20::ff" };
    expect(found(merge(lan(on), behind("fd25:20::1")))).toEqual([
      expect.stringContaining("with fd25:20::1 (network.ipv6.gateway), or a range without"),
    ]);
    const kept = { ...on, excluded: { router: "fd25:20::1" } };
    expect(found(merge(lan(kept), behind("fd25:20::1")))).toEqual([]);
    expect(found(merge(lan(on), behind("fe80::1")))).toEqual([]);
  });
});

describe("the daemon", () => {
  const over6 = bridge({ subnet: "fd25:28::/64" });
  const at = (override: object): string[] => found(merge(over6, override));

  test("before Docker 27 makes no IPv6 rules unless it is told to", () => {
    const old = { source: "distribution", version: "26.1" };
    expect(at({ engine: old })).toEqual([
      expect.stringMatching(
        /^networks\.extra\.ipv6: .*; needs Docker 27 or later, or experimental with ip6tables .*; version is 26\.1$/,
      ),
    ]);
    const told = { ...old, daemon: { experimental: true, ip6tables: true } };
    expect(at({ engine: told })).toEqual([]);
    expect(found(merge(lan({}), { engine: old }))).toEqual([]);
  });

  test("keeps the containers of an isolated network apart only with its rules", () => {
    const without = daemon({ ip6tables: false });
    expect(at(without)).toEqual([]);
    expect(at(merge(without, { networks: { extra: { isolated: true } } }) as object)).toEqual([
      expect.stringMatching(
        /^networks\.extra\.isolated: true; allowed: false with ip6tables false/,
      ),
    ]);
  });

  test("turns no forwarding on with nftables, so the node has to", () => {
    const nftables = { "firewall-backend": "nftables" };
    expect(at(daemon(nftables, "29.8"))).toEqual([
      expect.stringMatching(
        /^networks\.extra\.ipv6: .* needs ipv6 true with firewall-backend nftables \(engine\.daemon\)/,
      ),
    ]);
    expect(at(daemon({ ...nftables, ipv6: true }, "29.8"))).toEqual([]);
    expect(at(daemon({ ...nftables, "ip-forward": false }, "29.8"))).toEqual([]);
    expect(found(merge(lan({}), daemon(nftables, "29.8")))).toEqual([]);
  });

  test("gives no network of a declared driver IPv6 by itself", () => {
    const options = (driver: string): object =>
      daemon({
        "default-network-opts": { [driver]: { "com.docker.network.enable_ipv6": "true" } },
      });
    expect(found(options("bridge"))).toEqual([
      expect.stringMatching(
        /enable_ipv6: "true"; allowed: no default with a declared network .*networks\.<name>\.ipv6/,
      ),
    ]);
    expect(found(options("macvlan"))).toEqual([]);
  });
});

describe("packets of 1280 bytes, which IPv6 needs,", () => {
  const MTU = "com.docker.network.driver.mtu";
  const ipv6 = { subnet: "fd25:28::/64" };
  const least = "allowed: at least 1280 with IPv6 (RFC 8200)";

  test("fit through a bridge", () => {
    expect(found(bridge(ipv6, { mtu: 1279 }))).toEqual([`networks.extra.mtu: 1279; ${least}`]);
    expect(found(bridge(ipv6, { mtu: 1280 }))).toEqual([]);
    expect(found(bridge(undefined, { mtu: 1279 }))).toEqual([]);
    const small = daemon({ "default-network-opts": { bridge: { [MTU]: "1000" } } });
    expect(found(merge(bridge(ipv6), small))).toEqual([`networks.extra.mtu: missing; ${least}`]);
  });

  test("fit through the NIC of a macvlan", () => {
    const smaller = {
      ...{ mtu: 1000 },
      ...{ "default-network-opts": { bridge: { [MTU]: "1000" } } },
    };
    const small = (mtu: number): object => ({ network: { mtu }, engine: { daemon: smaller } });
    expect(found(merge(lan({}), small(1279)))).toEqual([
      "network.mtu: 1279; allowed: at least 1280, because networks.lan has IPv6 (RFC 8200)",
    ]);
    expect(found(merge(lan({}), small(1280)))).toEqual([]);
    expect(found(small(1279))).toEqual([]);
  });

  test.each([
    ["eth1", 1279, [1500], []],
    ["eth1", 1500, [1279], [0]],
    ["eth2", 1500, [1500, 1279], [1]],
    ["eth2", 1500, [1279, 1500], []],
    ["eth3", 1279, [1279, 1279], []],
    ["ens18", 1279, [], []],
  ])("fit through the NIC that is the parent: %s of MTU %d and %j", (parent, mtu, others, at) => {
    const nics = others.map((size, index) => ({
      ...{ bridge: `vmbr${index + 1}`, address: `10.25.4${index}.24/24`, mtu: size },
    }));
    const networks = { lan: { parent, vlan: null } };
    const said = found(merge(merge(lan({}), { networks }), { network: { mtu, nics } }));
    expect(said.filter((line) => line.includes("at least 1280"))).toEqual(
      at.map(
        (index) =>
          `network.nics.${index}.mtu: 1279; allowed: at least 1280, because networks.lan has IPv6 (RFC 8200)`,
      ),
    );
  });
});

test("an adopted network keeps what is not declared, and IPv6 that is declared counts", () => {
  const node = prodNode({
    ...{ machine: { adopt: true }, adopt: { networks: { extra: "e".repeat(64) } } },
    networks: { extra: { subnet: "172.20.0.0/24" } },
  });
  expect(adoptNetwork(node, "extra").ignoreChanges).toContain("ipv6");
  const declared = merge(node, bridge({ subnet: "fd25:28::/64" })) as typeof node;
  expect(adoptNetwork(declared, "extra").ignoreChanges).not.toContain("ipv6");
  expect(adoptNetwork(declared, "extra").ignoreChanges).toContain("labels");
});
