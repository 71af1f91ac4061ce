import * as pulumi from "@pulumi/pulumi";
import { ContainerNetworks, networkArgs } from "../../components/docker/networks";
import { daemonProblems as problems } from "../support/daemon";
import { settle, startPulumi } from "../support/mocks";
import { prodNode } from "../support/settings";

describe("daemon-wide options of networks", () => {
  const ICC = "com.docker.network.bridge.enable_icc";
  const MTU = "com.docker.network.driver.mtu";
  const defaults = {
    bridge: { [MTU]: "1400", [ICC]: "false" },
    macvlan: { [MTU]: "1450", macvlan_mode: "private" },
    ipvlan: { ipvlan_mode: "l3", ipvlan_flag: "vepa" },
  };
  const daemon = { "default-network-opts": defaults };
  const bridge = {
    driver: "bridge",
    subnet: "172.19.0.0/24",
    isolated: false,
    internal: false,
  } as const;
  const macvlan = {
    driver: "macvlan",
    parent: "eth0",
    subnet: "10.25.30.0/24",
    gateway: "10.25.30.1",
    excluded: {},
  } as const;

  test("are set on every declared network, or their absence would replace the network", () => {
    expect(networkArgs("n", bridge, daemon).options).toEqual({ [MTU]: "1400", [ICC]: "false" });
    expect(networkArgs("n", macvlan, daemon).options).toEqual({
      [MTU]: "1450",
      parent: "eth0",
      macvlan_mode: "bridge",
    });
    expect(networkArgs("n", { ...macvlan, driver: "ipvlan" }, daemon).options).toEqual({
      ipvlan_flag: "vepa",
      parent: "eth0",
      ipvlan_mode: "l2",
    });
  });

  test("yield to options of the network itself", () => {
    const open = { "default-network-opts": { bridge: { [ICC]: "true" } } };
    expect(networkArgs("n", { ...bridge, isolated: true }, open).options).toEqual({
      [ICC]: "false",
    });
    expect(networkArgs("n", bridge).options).toEqual({ [ICC]: "true" });
    expect(networkArgs("n", { ...bridge, mtu: 1280 }, daemon).options).toEqual({
      [MTU]: "1280",
      [ICC]: "false",
    });
  });

  test("a declared MTU is set, and none else", () => {
    expect(networkArgs("n", { ...bridge, mtu: 9000 }).options).toEqual({
      [MTU]: "9000",
      [ICC]: "true",
    });
    expect(networkArgs("n", bridge).options).not.toHaveProperty(MTU);
  });

  test("reach the resource", async () => {
    const node = prodNode({ engine: { daemon } });
    const recorder = await startPulumi({ preview: false, config: {} });
    const machine = new pulumi.ComponentResource("test:index:Machine", "machine");
    expect(new ContainerNetworks("n", { node, machine }).ids).toHaveProperty(
      "development-secondary",
    );
    await settle(recorder);
    const made = recorder.resources.filter(({ type }) => type === "docker:index/network:Network");
    expect(made.map(({ inputs }) => inputs.options)).toEqual([defaults.bridge, defaults.bridge]);
  });

  test("cannot be options that only one network can have", () => {
    const names = { bridge: { "com.docker.network.bridge.name": "br0" } };
    expect(problems({ "default-network-opts": names })).toEqual([
      'default-network-opts.bridge.com.docker.network.bridge.name: "br0"; allowed: no default: only one network can have it',
    ]);
  });
});
