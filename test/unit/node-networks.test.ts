import type * as proxmox from "@muhlba91/pulumi-proxmoxve";
import { adoptVm } from "../../components/shared/adoption";
import { vmArgs } from "../../components/machine/vm-args";
import { rulesOf } from "../../components/machine/vm-firewall";
import { merge } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { problems, prodNode, prodWith, waived } from "../support/settings";

/** The networks that a node is in: its IPv6 address, its further NICs, and what goes with them. */

const NAME = "proj-docker02";
const ADDRESS = "fd25:10::19/64";
const refusals = (override: object): string[] =>
  problems(waived(prodWith(override))).map((line) => line.replace(`nodes.${NAME}.`, ""));
const over6 = (more: object = {}): object => ({ network: { ipv6: { address: ADDRESS, ...more } } });
const daemon = (keys: object, network: object = { ipv6: { address: ADDRESS } }): object => ({
  ...{ network, engine: { daemon: { ipv6: true, ...keys } } },
});

const initializationOf = (node: NodeConfig) =>
  vmArgs(NAME, node).initialization as proxmox.types.input.VmLegacyInitialization;

describe("an IPv6 address", () => {
  test("goes to cloud-init beside the IPv4 one, with gateway and name servers", () => {
    const ipv6 = { address: ADDRESS, gateway: "fe80::1" };
    const dnsServers = ["10.25.20.1", "fd25:10::1"];
    expect(initializationOf(prodNode({ network: { ipv6, dnsServers } }))).toMatchObject({
      ipConfigs: [{ ipv4: { address: "10.25.20.24/24", gateway: "10.25.20.1" }, ipv6 }],
      dns: { servers: dnsServers },
    });
  });

  test("is not mentioned where none is declared", () => {
    expect(initializationOf(prodNode()).ipConfigs).toEqual([
      { ipv4: { address: "10.25.20.24/24", gateway: "10.25.20.1" } },
    ]);
  });

  test.each<[what: string, override: object, expected: RegExp]>([
    [
      "auto",
      over6({ address: "auto" }),
      /ipv6.address: "auto"; .*known; .*initialization takes auto$/,
    ],
    [
      "dhcp",
      over6({ address: "dhcp" }),
      /ipv6.address: "dhcp"; .*known; .*initialization takes auto$/,
    ],
    [
      "without a prefix",
      over6({ address: "fd25:10::19" }),
      /with prefix length 8 to 128, such as fd25/,
    ],
    ["of IPv4", over6({ address: "10.25.20.25/24" }), /ipv6.address: .*an IPv6 address of one/],
    ["link-local", over6({ address: "fe80::19/64" }), /ipv6.address: .*neither link-local/],
    ["multicast", over6({ address: "ff02::1/64" }), /ipv6.address: .*of one machine/],
    ["loopback", over6({ address: "::1/128" }), /ipv6.address: .*of one machine/],
    ["unspecified", over6({ address: "::/64" }), /ipv6.address: .*of one machine/],
    ["in IPv4's clothes", over6({ address: "::ffff:10.25.20.24/120" }), /carries an IPv4 address/],
    ["with a zone", over6({ address: "fd25::19%eth0/64" }), /ipv6.address: .*of one machine/],
    ["in everything", over6({ address: "fd25::19/0" }), /ipv6.address: .*of one machine/],
    ["in more than Proxmox takes", over6({ address: "fd25::19/7" }), /ipv6.address: .*8 to 128/],
    ["with a length as nft does not read it", over6({ address: "fd25::19/064" }), /ipv6.address: /],
    [
      "of the routers",
      over6({ address: "fd25:10::/64" }),
      /ipv6.address: .*not the network's first/,
    ],
    [
      "with a gateway elsewhere",
      over6({ gateway: "fd25:11::1" }),
      /ipv6.gateway: "fd25:11::1"; allowed: another host address of fd25:10::\/64, or a link-local/,
    ],
    ["as its own gateway", over6({ gateway: "fd25:10:0::19" }), /ipv6.gateway: .*another host/],
    ["with an IPv4 gateway", over6({ gateway: "10.25.20.1" }), /ipv6.gateway: .*an IPv6 address/],
    [
      "on a NIC with packets too small for IPv6",
      { network: { mtu: 1200, ipv6: { address: ADDRESS } }, engine: { daemon: { mtu: 1200 } } },
      /network.mtu: 1200; allowed: at least 1280/,
    ],
    [
      "in docker0's network",
      daemon({ bip6: "fd25:10::1/64" }),
      /daemon.bip6: .*addresses outside fd25:10::\/64, .*\(network\.ipv6\.address\)/,
    ],
    [
      "in a part of docker0's",
      daemon({ "fixed-cidr-v6": "fd25:10::/80" }),
      /fixed-cidr-v6: .*outside/,
    ],
    [
      "in a pool",
      daemon({ bip: null, "default-address-pools": [{ base: "fd25:10::/48", size: 64 }] }),
      /pools.0.base: "fd25:10::\/48"; allowed: addresses outside fd25:10::\/64/,
    ],
  ])("is refused: %s", (_, override, expected) => {
    const found = refusals(override);
    expect(
      found.filter((line) => !/^network\.mtu|^networks/.test(line) || expected.test(line)),
    ).toEqual([expect.stringMatching(expected)]);
  });

  test.each<[what: string, override: object]>([
    ["a link-local gateway", over6({ gateway: "fe80::1" })],
    ["the shortest prefix", over6({ address: "2001:db8::19/8", gateway: "fe80::1" })],
    ["a gateway of its network", over6({ gateway: "fd25:10::1" })],
    ["a network of its own", over6({ address: "2001:db8::19/128", gateway: "fe80::1" })],
    ["docker0's beside it", daemon({ bip6: "fd25:18::1/64" })],
  ])("is taken with %s", (_, override) => {
    expect(refusals(override)).toEqual([]);
  });

  test("belongs to one node, however it is written", () => {
    const raw = prodWith(over6());
    const network = { address: "10.25.20.25/24", ipv6: { address: "FD25:10:0::19/64" } };
    const nodes = { ...(raw.nodes as object), other: { machine: { vmId: 2020 }, network } };
    expect(problems(waived({ ...raw, nodes }))).toEqual([
      expect.stringMatching(/nodes.other.network.ipv6.address: .*proj-docker02 has this one/),
    ]);
  });
});

const LISTENERS = "IPv6 neighbours (MLD)";
const lanOver6 = (driver: string, more: object = {}): object => ({
  networks: {
    lan: {
      ...{ driver, parent: "eth0", subnet: "10.25.20.0/24", gateway: "10.25.20.1" },
      ...{ range: "10.25.20.128/25", ipv6: { subnet: "fd25:10::/64", gateway: "fd25:10::1" } },
      ...more,
    },
  },
});
const NIC_OVER_6 = { vlan: 31, address: "10.25.31.24/24", ipv6: { address: "fd25:31::24/64" } };
const WITH_IPV6: [what: string, override: object][] = [
  ["the first NIC", over6()],
  ["a further NIC", { network: { nics: [NIC_OVER_6] } }],
  ["a macvlan", lanOver6("macvlan")],
  ["an ipvlan", lanOver6("ipvlan")],
];
const OTHER_LAN = { vlan: 32, subnet: "10.25.32.0/24", gateway: "10.25.32.1", range: null };
const WITHOUT_IPV6: [what: string, override: object][] = [
  ["nothing", {}],
  ["a bridge", { networks: { extra: { subnet: "172.20.0.0/24", ipv6: { subnet: "fd25::/64" } } } }],
  ["a macvlan whose frames are tagged, which nobody filters,", lanOver6("macvlan", OTHER_LAN)],
];

describe("the NIC's firewall", () => {
  test.each(WITH_IPV6)("lets multicast routers ask, last of all, if %s has IPv6", (_, override) => {
    const declared = { network: { firewall: { rules: [{ port: "443", comment: "web" }] } } };
    const rules = rulesOf(prodNode(merge(declared, override)));
    expect(rules.slice(0, -1)).toEqual(rulesOf(prodNode(declared)));
    expect(rules.at(-1)).toEqual({ comment: LISTENERS, source: "fe80::/10", proto: "icmpv6" });
  });

  test.each(WITHOUT_IPV6)("has no rule for that if %s has IPv6", (_, override) => {
    expect(rulesOf(prodNode(override))).toEqual(rulesOf(prodNode()));
    expect(rulesOf(prodNode()).map(({ proto }) => proto)).not.toContain("icmpv6");
  });

  test("has no rules where none is declared", () => {
    expect(rulesOf(prodNode({ network: { ipv6: { address: ADDRESS }, firewall: null } }))).toEqual(
      [],
    );
  });
});

describe("echo requests", () => {
  const echoes = (override: object, ...rules: object[]): object[] => {
    const all = rules.map((rule) => ({ proto: "icmp", ...rule }));
    return rulesOf(prodNode(merge(override, { network: { firewall: { rules: all } } })))
      .filter(({ proto, comment }) => /icmp/.test(proto) && comment !== LISTENERS)
      .map(({ proto, source }) => ({ proto, source }));
  };

  test("from an IPv6 source are of Proxmox's protocol for them", () => {
    expect(echoes({}, { source: "fd25:10::/64" }, { source: "10.25.10.0/24" })).toEqual([
      { proto: "icmpv6", source: "fd25:10::/64" },
      { proto: "icmp", source: "10.25.10.0/24" },
    ]);
  });

  test.each(WITH_IPV6)("from everybody are let in over IPv6 too if %s has it", (_, override) => {
    expect(echoes(override, {})).toEqual([{ proto: "icmp" }, { proto: "icmpv6" }]);
  });

  test.each(WITHOUT_IPV6)("from everybody are IPv4's if %s has IPv6", (_, override) => {
    expect(echoes(override, {})).toEqual([{ proto: "icmp" }]);
  });
});

const STORAGE = { bridge: "vmbr1", vlan: 30, address: "10.25.30.24/24" };
const BACKUP = { vlan: 31, address: "10.25.31.24/24" };
const withNics = (...nics: object[]): object => ({ network: { nics } });
const devicesOf = (node: NodeConfig) =>
  vmArgs(NAME, node).networkDevices as proxmox.types.input.VmLegacyNetworkDevice[];

describe("further NICs", () => {
  test("are devices after the first one, each with its address and without a gateway", () => {
    const own = { mtu: 9000, macAddress: "BC:24:11:00:30:24", ipv6: { address: "fd25:30::24/64" } };
    const node = prodNode(withNics({ ...STORAGE, ...own, firewall: false }, BACKUP));
    expect(devicesOf(node).slice(1)).toEqual([
      {
        ...{ bridge: "vmbr1", vlanId: 30, model: "virtio", firewall: false },
        ...{ mtu: 9000, macAddress: "BC:24:11:00:30:24" },
      },
      { bridge: "vmbr0", vlanId: 31, model: "virtio", firewall: true },
    ]);
    expect(initializationOf(node).ipConfigs).toEqual([
      { ipv4: { address: "10.25.20.24/24", gateway: "10.25.20.1" } },
      { ipv4: { address: "10.25.30.24/24" }, ipv6: { address: "fd25:30::24/64" } },
      { ipv4: { address: "10.25.31.24/24" } },
    ]);
  });

  test("have a firewall as the first one, and no VLANs of macvlans", () => {
    const lan = { driver: "macvlan", parent: "eth0", vlan: 32 };
    const networks = {
      lan: { ...lan, subnet: "10.25.32.0/24", gateway: "10.25.32.1", range: "10.25.32.128/25" },
    };
    const firewall = { enabled: false };
    const [first, second] = devicesOf(
      prodNode({ networks, network: { nics: [STORAGE], firewall } }),
    );
    expect(first).toMatchObject({ trunks: "32", firewall: false });
    expect(second).toEqual({ bridge: "vmbr1", vlanId: 30, model: "virtio", firewall: false });
  });

  test("that are gone leave addresses behind, which no preview shows again", () => {
    const recorded = [
      { ipv4: { address: "10.25.20.24/24", gateway: "10.25.20.1" } },
      { ipv4: { address: "10.25.30.24/24", gateway: "" } },
      { ipv4: { address: "10.25.31.24/24", gateway: "" } },
    ];
    const configs = (node: NodeConfig) =>
      (
        vmArgs(NAME, node, { ipConfigs: recorded })
          .initialization as proxmox.types.input.VmLegacyInitialization
      ).ipConfigs;
    expect(configs(prodNode())).toEqual(recorded);
    expect(configs(prodNode(withNics(BACKUP)))).toEqual([
      recorded[0],
      { ipv4: { address: "10.25.31.24/24" } },
      recorded[2],
    ]);
  });

  test("of an adopted VM keep what nothing declares", () => {
    const nics = [{ ...STORAGE, mtu: 9000 }, BACKUP];
    const machine = { adopt: true };
    const ignored = (network: object = {}): unknown =>
      adoptVm(prodNode({ machine, network: { nics, ...network } })).ignoreChanges;
    const kept = (fields: string[]) =>
      fields.flatMap((field) => [`networkDevices[1].${field}`, `networkDevices[2].${field}`]);
    expect(ignored()).toEqual(expect.arrayContaining(kept(["macAddress", "model", "queues"])));
    expect(ignored()).toEqual(expect.arrayContaining(["networkDevices[2].mtu"]));
    expect(ignored()).not.toContain("networkDevices[1].mtu");
    expect(ignored()).not.toContain("networkDevices[1].firewall");
    expect(ignored({ firewall: null })).toContain("networkDevices[1].firewall");
  });

  const MANY = Array.from({ length: 8 }, (_, index) => ({
    ...{ vlan: 100 + index, address: `10.26.${index}.24/24` },
  }));
  const LAN = { driver: "ipvlan", subnet: "10.25.32.0/24", gateway: "10.25.32.1" };

  test.each<[what: string, override: object, expected: RegExp]>([
    ["more than the provider takes", withNics(...MANY), /network.nics: .*at most 7 entries/],
    [
      "with a gateway",
      withNics({ ...STORAGE, gateway: "10.25.30.1" }),
      /nics.0.gateway: .*one default route, through its first NIC/,
    ],
    [
      "the network itself",
      withNics({ ...STORAGE, address: "10.25.30.0/24" }),
      /neither the network/,
    ],
    [
      "in the first one's network",
      withNics({ ...STORAGE, address: "10.25.20.25/24" }),
      /nics.0.address: .*apart from 10.25.20.0\/24, which network.address is in/,
    ],
    [
      "in one another's",
      withNics(STORAGE, { ...BACKUP, address: "10.25.0.9/16" }),
      /nics.1.address: .*apart from 10.25.20.0\/24, which network.address/,
    ],
    [
      "in one another's, over IPv6",
      withNics(
        { ...STORAGE, ipv6: { address: "fd25:30::1/64" } },
        { ...BACKUP, ipv6: { address: "fd25:30::2/64" } },
      ),
      /nics.1.ipv6.address: .*apart from fd25:30::\/64, which network.nics.0.ipv6.address/,
    ],
    [
      "on the first one's bridge and VLAN",
      withNics({ ...STORAGE, bridge: "vmbr0", vlan: 20 }),
      /nics.0.vlan: 20; allowed: another VLAN or bridge than network has/,
    ],
    [
      "in a pool",
      withNics({ ...STORAGE, address: "172.18.5.9/24" }),
      /pools.0.base: "172.18.0.0\/16"; allowed: addresses outside 172.18.5.0\/24, .*nics\.0/,
    ],
    [
      "in a bridge network",
      { ...withNics(STORAGE), networks: { lab: { subnet: "10.25.30.0/25" } } },
      /lab.subnet: .*outside 10.25.30.0\/24/,
    ],
    [
      "as the parent of a VLAN",
      { ...withNics(STORAGE), networks: { lan: { ...LAN, parent: "eth1", vlan: 32 } } },
      /lan.vlan: 32; allowed: unset on eth1, or the first NIC/,
    ],
    [
      "with the MAC address of the first one",
      {
        network: {
          macAddress: "BC:24:11:00:30:24",
          nics: [STORAGE, { ...BACKUP, macAddress: "bc:24:11:00:30:24" }],
        },
      },
      /nics.1.macAddress: "BC:.*; allowed: a MAC address other than that of network$/,
    ],
    [
      "with one another's MAC address",
      withNics(
        { ...STORAGE, macAddress: "BC:24:11:00:30:24" },
        { ...BACKUP, macAddress: "BC:24:11:00:30:24" },
      ),
      /nics.1.macAddress: "BC:.*; allowed: a MAC address other than that of network.nics.0$/,
    ],
    [
      "filtered, where Proxmox filters nothing",
      { network: { firewall: { enabled: false }, nics: [{ ...STORAGE, firewall: true }] } },
      /nics.0.firewall: true; allowed: unset or false/,
    ],
    [
      "with packets too small for Docker's",
      withNics({ ...STORAGE, mtu: 1400 }),
      /daemon.mtu: missing; allowed: at most 1400, the NIC's \(network.nics.0.mtu\)/,
    ],
    [
      "with packets too small for IPv6",
      withNics({ ...STORAGE, mtu: 1200, ipv6: { address: "fd25:30::1/64" } }),
      /nics.0.mtu: 1200; allowed: at least 1280/,
    ],
    [
      "open, without a waiver",
      withNics({ ...STORAGE, firewall: false }),
      /nics.0.firewall: false; .*firewall-nic-off/,
    ],
  ])("are refused: %s", (_, override, expected) => {
    expect(problems(prodWith(override)).filter((line) => expected.test(line))).toHaveLength(1);
  });

  test("have addresses and MAC addresses of their own in the stack", () => {
    const macAddress = "BC:24:11:00:30:24";
    const raw = prodWith(withNics({ ...STORAGE, macAddress }));
    const network = { address: "10.25.30.24/16", macAddress };
    const nodes = { ...(raw.nodes as object), other: { machine: { vmId: 2020 }, network } };
    const found = problems(waived({ ...raw, nodes })).filter((line) => /other node has/.test(line));
    expect(found).toEqual([
      expect.stringMatching(/nodes.other.network.address: .*proj-docker02 has this one/),
      expect.stringMatching(/nodes.other.network.macAddress: .*proj-docker02 has this one/),
    ]);
  });

  test("of one node that share a value are not told of as two nodes", () => {
    const own = { macAddress: "BC:24:11:00:30:24", ipv6: { address: "fd25:30::24/64" } };
    const found = problems(prodWith(withNics({ ...STORAGE, ...own }, { ...BACKUP, ...own })));
    expect(found).toEqual([
      expect.stringMatching(/nics.1.macAddress: .*other than that of network.nics.0$/),
      expect.stringMatching(/nics.1.ipv6.address: .*a network apart from fd25:30::\/64/),
    ]);
  });

  test("are taken", () => {
    expect(problems(prodWith(withNics(STORAGE, BACKUP)))).toEqual([]);
    const own = MANY.slice(1);
    expect(problems(prodWith(withNics(...own)))).toEqual([]);
  });
});

describe("name servers", () => {
  const servers = (dnsServers: string[], keys: object = {}, network: object = {}): string[] =>
    refusals({ network: { ipv6: { address: ADDRESS }, ...network, dnsServers }, ...keys });
  const over6Alone = ["fd25:53::1", "fd25:53::2"];
  const daemonWith = (keys: object): object => ({ engine: { daemon: keys } });

  test("of IPv6 alone leave containers on docker0 to Docker's own choice", () => {
    expect(servers(over6Alone)).toEqual([
      expect.stringMatching(
        /^network\.dnsServers: \["fd25:53::1",.*; allowed: an IPv4 address among them, or engine\.daemon\.dns: .*8\.8\.8\.8/,
      ),
    ]);
  });

  test.each<[what: string, servers: string[], keys: object]>([
    ["one over IPv4", [...over6Alone, "10.25.20.1"], {}],
    ["others for containers", over6Alone, daemonWith({ dns: ["10.25.20.1"] })],
    ["IPv6 on docker0", over6Alone, daemonWith({ ipv6: true })],
    [
      "no docker0",
      over6Alone,
      {
        ...daemonWith({ bridge: "none", bip: null }),
        ...{ portainer: null, monitoring: null, backups: null },
      },
    ],
  ])("are taken with %s", (_, addresses, keys) => {
    expect(servers(addresses, keys)).toEqual([]);
  });

  test("are reached over IPv6 by a further NIC too", () => {
    const nics = [NIC_OVER_6];
    expect(servers(["10.25.20.1", "fd25:31::1"], {}, { ipv6: null, nics })).toEqual([]);
  });
});

describe("management over IPv6 alone", () => {
  const managed = (firewall: object, override: object = {}): string[] =>
    refusals({
      network: {
        ipv6: { address: ADDRESS },
        firewall: { managementNetworks: ["fd25:1::/64"], ...firewall },
      },
      ...override,
    });
  const shut =
    'network.firewall.managementNetworks: ["fd25:1::/64"]; allowed: an IPv4 network among them, a rule that opens port 22 over IPv4, or ssh.endpoint: the program reaches the node over IPv4';

  test.each<[what: string, firewall: object]>([
    ["no rule", {}],
    ["a rule for another port", { rules: [{ port: "23:443" }] }],
    ["a rule for UDP", { rules: [{ port: "22", proto: "udp", source: "10.25.10.0/24" }] }],
    ["a rule for IPv6", { rules: [{ port: "22", source: "fd25:2::/64" }] }],
    ["the node's firewall alone", { enabled: false }],
    ["Proxmox's alone", { onNode: false }],
  ])("would lock the program out: with %s", (_, firewall) => {
    expect(managed(firewall)).toEqual([shut]);
  });

  test.each<[what: string, firewall: object, override: object]>([
    ["an IPv4 network too", { managementNetworks: ["fd25:1::/64", "10.25.10.0/24"] }, {}],
    ["a rule for IPv4", { rules: [{ port: "20:30", source: "10.25.10.7" }] }, {}],
    ["a rule for everybody", { rules: [{ port: "22" }] }, {}],
    ["nothing that filters", { enabled: false, onNode: false }, {}],
    ["another way in", {}, { ssh: { endpoint: { host: "gate.example.org", port: 2222 } } }],
  ])("does not with %s", (_, firewall, override) => {
    expect(managed(firewall, override)).toEqual([]);
  });
});
