import type * as proxmox from "@muhlba91/pulumi-proxmoxve";
import { vmArgs } from "../../components/machine/vm-args";
import { rulesOf } from "../../components/machine/vm-firewall";
import type { NodeConfig } from "../../config/schema";
import { problems, prodNode, prodWith, waived } from "../support/settings";

/** The networks that a node is in: its IPv6 address, and what goes with it. */

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
    ["auto", over6({ address: "auto" }), /ipv6.address: "auto"; .* one that is known; override/],
    ["without a prefix", over6({ address: "fd25:10::19" }), /with prefix length, such as fd25/],
    ["of IPv4", over6({ address: "10.25.20.25/24" }), /ipv6.address: .*an IPv6 address of one/],
    ["link-local", over6({ address: "fe80::19/64" }), /ipv6.address: .*neither link-local/],
    ["multicast", over6({ address: "ff02::1/64" }), /ipv6.address: .*of one machine/],
    ["loopback", over6({ address: "::1/128" }), /ipv6.address: .*of one machine/],
    ["unspecified", over6({ address: "::/64" }), /ipv6.address: .*of one machine/],
    ["in IPv4's clothes", over6({ address: "::ffff:10.25.20.24/120" }), /carries an IPv4 address/],
    ["with a zone", over6({ address: "fd25::19%eth0/64" }), /ipv6.address: .*of one machine/],
    ["in everything", over6({ address: "fd25::19/0" }), /ipv6.address: .*of one machine/],
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
      daemon({ bip: null, "default-address-pools": [{ base: "fd25::/32", size: 64 }] }),
      /pools.0.base: "fd25::\/32"; allowed: addresses outside fd25:10::\/64/,
    ],
  ])("is refused: %s", (_, override, expected) => {
    const found = refusals(override);
    expect(
      found.filter((line) => !/^network\.mtu|^networks/.test(line) || expected.test(line)),
    ).toEqual([expect.stringMatching(expected)]);
  });

  test.each<[what: string, override: object]>([
    ["a link-local gateway", over6({ gateway: "fe80::1" })],
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

describe("echo requests", () => {
  const icmp = (network: object, ...rules: object[]): object[] => {
    const all = rules.map((rule) => ({ proto: "icmp", ...rule }));
    return rulesOf(prodNode({ network: { ...network, firewall: { rules: all } } }))
      .filter(({ proto }) => /icmp/.test(proto))
      .map(({ proto, source }) => ({ proto, source }));
  };

  test("from an IPv6 source are of Proxmox's protocol for them", () => {
    expect(icmp({}, { source: "fd25:10::/64" }, { source: "10.25.10.0/24" })).toEqual([
      { proto: "icmpv6", source: "fd25:10::/64" },
      { proto: "icmp", source: "10.25.10.0/24" },
    ]);
  });

  test("from everybody are let in over IPv6 too where the node has an address", () => {
    const both = [{ proto: "icmp" }, { proto: "icmpv6" }];
    expect(icmp({ ipv6: { address: ADDRESS } }, {})).toEqual(both);
    expect(icmp({}, {})).toEqual([{ proto: "icmp" }]);
  });
});
