import { networkArgs } from "../../components/docker/networks";
import { vmArgs } from "../../components/machine/vm-args";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorder } from "../support/mocks";
import { prodNode, prodWith, problems, stackConfig, waived } from "../support/settings";
import runStack from "../../index";
import type { RawSettings } from "../../config/load";

/* Networks whose containers are on the wire beside the node: what the VM's NIC lets through for them. */

const NODE = "proj-docker02";
const key = privateKey();
const FIREWALL = "proxmoxve:firewall/optionsLegacy:OptionsLegacy";
const NETWORK = "docker:index/network:Network";

const lan = (vlan: number | undefined, subnet: string, more: object = {}): object => ({
  driver: "macvlan",
  parent: "eth0",
  vlan,
  subnet,
  gateway: subnet.replace(/0\/\d+$/, "1"),
  ...more,
});
const instruments = lan(30, "10.25.30.0/24");
const beside = lan(undefined, "10.25.20.0/24");
const ipvlan = { driver: "ipvlan" };

const waivedWith = (override: object): RawSettings => waived(prodWith(override));

const nicOf = (networks: object): unknown => {
  const { networkDevices } = vmArgs(NODE, prodNode({ networks }));
  return (networkDevices as unknown[])[0];
};

async function run(override: object): Promise<Recorder> {
  const raw = waived(prodWith({ ...override, ssh: key.ssh }));
  const values = Object.entries(stackConfig(raw)).map(([name, { value }]) => [name, value]);
  const recorder = await startPulumi({
    config: Object.fromEntries(values) as Record<string, string>,
  });
  await runStack();
  await settle(recorder);
  return recorder;
}

describe("the NIC", () => {
  test("carries the VLANs of macvlans and ipvlans, each once and in order", () => {
    const cameras = lan(25, "10.25.25.0/24", ipvlan);
    const again = lan(30, "10.25.31.0/24", { parent: "eth1" });
    expect(nicOf({ instruments, cameras, again, beside })).toMatchObject({
      vlanId: 20,
      trunks: "25;30",
    });
  });

  test("has no trunks without one, so that nothing changes for a node without", () => {
    expect(nicOf({})).not.toHaveProperty("trunks");
    expect(nicOf({ beside })).not.toHaveProperty("trunks");
  });

  test.each([
    ["with a macvlan, lets other MAC addresses through", { beside }, false],
    ["without one, does not", {}, true],
    [
      "with one of each, lets other MAC addresses through",
      { beside: { ...beside, ...ipvlan }, instruments },
      false,
    ],
  ])("%s", async (_what, networks, macfilter) => {
    expect((await run({ networks })).find(FIREWALL).inputs).toMatchObject({ macfilter });
  });

  test("with an ipvlan alone, keeps its MAC filter: containers have the node's address", async () => {
    const { inputs } = (await run({ networks: { beside: { ...beside, ...ipvlan } } })).find(
      FIREWALL,
    );
    expect(inputs).toMatchObject({ macfilter: true });
  });

  test("may have no VLAN of its own, and carries those of macvlans all the same", () => {
    const untagged = prodNode({ network: { vlan: null }, networks: { beside, instruments } });
    expect(vmArgs(NODE, untagged).networkDevices).toEqual([
      { bridge: "vmbr0", vlanId: undefined, trunks: "30", model: "virtio", firewall: true },
    ]);
  });

  test("has the declared MTU and MAC address, and is silent about others", () => {
    const declared = prodNode({ network: { mtu: 9000, macAddress: "bc:24:11:00:20:24" } });
    expect(vmArgs(NODE, declared).networkDevices).toEqual([
      expect.objectContaining({ mtu: 9000, macAddress: "BC:24:11:00:20:24" }),
    ]);
    expect(nicOf({})).not.toHaveProperty("mtu");
    expect(nicOf({})).not.toHaveProperty("macAddress");
  });

  test.each(["macvlan", "ipvlan"])("cannot hand on its own VLAN as a trunk (%s)", (driver) => {
    expect(
      problems(waivedWith({ networks: { lan: lan(20, "10.25.20.0/24", { driver }) } })),
    ).toEqual([
      `nodes.${NODE}.networks.lan.vlan: 20; allowed: a VLAN other than the NIC's own (network.vlan); without this key the network is on VLAN 20`,
    ]);
  });
});

describe("an interface", () => {
  const onSame = (vlan: number | undefined, first: string, second: string): string[] =>
    problems(
      waivedWith({
        networks: {
          one: lan(vlan, "10.25.30.0/24", { driver: first }),
          two: lan(vlan, "10.25.31.0/24", { driver: second }),
        },
      }),
    );

  test.each([
    ["macvlan", "ipvlan", 30, "eth0.30"],
    ["ipvlan", "macvlan", undefined, "eth0"],
    ["ipvlan", "ipvlan", 30, "eth0.30"],
    ["macvlan", "macvlan", 30, "eth0.30"],
  ])("has one network: %s, then %s", (first, second, vlan, on) => {
    expect(onSame(vlan, first, second)).toEqual([
      `nodes.${NODE}.networks.two.parent: "eth0"; allowed: another interface or vlan than networks.one, which has ${on} for itself`,
    ]);
  });

  test("of another VLAN may have the other kind", () => {
    const networks = { one: lan(30, "10.25.30.0/24"), two: lan(31, "10.25.31.0/24", ipvlan) };
    const untagged = lan(undefined, "10.25.20.0/24", { ...ipvlan, range: "10.25.20.128/25" });
    expect(problems(waivedWith({ networks: { ...networks, untagged } }))).toEqual([]);
  });
});

describe("a NIC that takes smaller packets than Docker's networks", () => {
  const AT = `nodes.${NODE}`;
  const opts = (mtu: number): object => ({
    bridge: { "com.docker.network.driver.mtu": String(mtu) },
  });
  const named = (more: object): string[] =>
    problems(waivedWith(more)).map((problem) => problem.replace(`${AT}.`, ""));
  const two = { "development-secondary": {}, "astronomy-compute-secondary": {} };
  const every = (more: object): object =>
    Object.fromEntries(Object.entries(two).map(([name, one]) => [name, { ...one, ...more }]));

  test("is refused, with what to declare", () => {
    const allowed = "allowed: at most 1400, the NIC's (network.mtu); without this key it is 1500";
    expect(named({ network: { mtu: 1400 } })).toEqual([
      `engine.daemon.mtu: missing; ${allowed}`,
      `networks.development-secondary.mtu: missing; ${allowed}`,
      `networks.astronomy-compute-secondary.mtu: missing; ${allowed}`,
    ]);
    const over = { network: { mtu: 1400 }, networks: every({ mtu: 1401 }) };
    expect(named(over)).toHaveLength(3);
  });

  test.each<[string, object]>([
    [
      "theirs are not larger",
      { engine: { daemon: { mtu: 1400 } }, networks: every({ mtu: 1400 }) },
    ],
    [
      "the daemon says so for all",
      { engine: { daemon: { mtu: 1400, "default-network-opts": opts(1400) } } },
    ],
    [
      "nothing leads out of them",
      {
        engine: { daemon: { bridge: "none", bip: null } },
        ...{ portainer: null, monitoring: null, backups: null },
        networks: every({ internal: true }),
      },
    ],
  ])("is right where %s", (_what, more) => {
    expect(named({ network: { mtu: 1400 }, ...more })).toEqual([]);
  });

  test("a network's own MTU counts, not the daemon's", () => {
    const engine = { daemon: { mtu: 1400, "default-network-opts": opts(1400) } };
    const networks = { "development-secondary": { mtu: 1500 } };
    expect(named({ network: { mtu: 1400 }, engine, networks })).toEqual([
      "networks.development-secondary.mtu: 1500; allowed: at most 1400, the NIC's (network.mtu); without this key it is 1400",
    ]);
  });

  test.each([1, 1500, 9000])("with %d there is nothing to say", (mtu) => {
    expect(named({ network: { mtu } })).toEqual([]);
  });
});

describe("the node's own address", () => {
  const pools = async (
    network: object,
    more: object = {},
  ): Promise<readonly { auxAddress: unknown }[]> => {
    const recorder = await run({ networks: { lan: network }, ...more });
    const { ipamConfigs } = recorder.find(NETWORK, `${NODE}-lan`).inputs;
    return ipamConfigs as { auxAddress: unknown }[];
  };
  const kept = async (network: object, more: object = {}): Promise<unknown> =>
    (await pools(network, more))[0]?.auxAddress;

  test("is kept out of an ipvlan that would hand it out", async () => {
    expect(await kept({ ...beside, ...ipvlan })).toEqual({ "docker-node-host": "10.25.20.24" });
  });

  test("is kept out of a macvlan that would hand it out", async () => {
    expect(await kept(beside)).toEqual({ "docker-node-host": "10.25.20.24" });
    const range = lan(undefined, "10.25.20.0/24", { range: "10.25.20.16/28" });
    expect(await kept(range)).toEqual({ "docker-node-host": "10.25.20.24" });
  });

  test("is kept out on a further NIC too, of either family", async () => {
    const storage = {
      ...{ bridge: "vmbr1", address: "10.25.30.24/24", ipv6: { address: "fd25:30::24/64" } },
    };
    const ipv6 = { subnet: "fd25:30::/64", gateway: "fd25:30::1" };
    const network = lan(undefined, "10.25.30.0/24", { parent: "eth1", ipv6 });
    const more = { network: { nics: [storage] } };
    expect(await pools(network, more)).toMatchObject([
      { auxAddress: { "docker-node-host": "10.25.30.24" } },
      { auxAddress: { "docker-node-host": "fd25:30::24" } },
    ]);
  });

  const reserved = (hosts: string[], more: object): unknown => {
    const { ipamConfigs } = networkArgs("lan", { excluded: {}, ...more } as never, {}, hosts);
    return (ipamConfigs as { auxAddress: unknown }[])[0]?.auxAddress;
  };

  test("is kept out with all others that lie in a wider subnet, the first by the name that it had", () => {
    expect(
      reserved(
        ["10.25.20.24", "fd25:20::24", "10.25.30.24", "10.26.1.24", "10.25.40.24"],
        lan(undefined, "10.25.0.0/16", { excluded: { nas: "10.25.40.24" } }),
      ),
    ).toEqual({
      nas: "10.25.40.24",
      "docker-node-host": "10.25.20.24",
      "docker-node-host-2": "10.25.30.24",
    });
  });

  test("is not reserved if it is the gateway, which Docker reserves itself", () => {
    const gateway = { gateway: "10.25.20.24" };
    expect(reserved(["10.25.20.24"], lan(undefined, "10.25.20.0/24", gateway))).toEqual({});
  });

  test("is not one that somebody has to exclude", async () => {
    const more = { network: { dnsServers: ["10.25.20.24"] } };
    expect(await kept(beside, more)).toEqual({ "docker-node-host": "10.25.20.24" });
  });

  test("is not reserved if Docker would not give it out, because that would replace the network", async () => {
    const range = lan(undefined, "10.25.20.0/24", { range: "10.25.20.128/25" });
    expect(await kept(range)).toEqual({});
    expect(await kept(instruments)).toEqual({});
    const excluded = { docker02: "10.25.20.24" };
    expect(await kept(lan(undefined, "10.25.20.0/24", { excluded }))).toEqual(excluded);
  });

  test("leaves an adopted network as it is", async () => {
    const id = "a".repeat(64);
    const adopt = { networks: { lan: id } };
    expect(await kept(beside, { adopt, machine: { adopt: true } })).toEqual({});
  });

  test("does not matter for a bridge", () => {
    const bridge = { driver: "bridge", subnet: "10.25.20.0/24", isolated: false, internal: false };
    const { ipamConfigs } = networkArgs("n", bridge as never, {}, ["10.25.20.24"]);
    expect(ipamConfigs).toEqual([{ subnet: "10.25.20.0/24", gateway: "10.25.20.1" }]);
  });
});
