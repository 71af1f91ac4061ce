import { gatewayOf, monitoringTargets } from "../../config/node";
import type { NetworkConfig } from "../../config/schema";
import { parseContract } from "../../contract/schema";
import { prodNode } from "../support/settings";
import { OUTPUTS } from "../support/outputs";

const STACK = "organization/docker-node/prod";

describe("the contract", () => {
  test("accepts valid outputs, and leaves out those that a newer release has added", () => {
    const [[name, node] = []] = Object.entries(OUTPUTS.nodes);
    const newer = { ...OUTPUTS, nodes: { [name ?? ""]: { ...node, reachability: [] } } };
    expect(parseContract(STACK, newer)).toEqual(OUTPUTS);
  });

  test.each([
    [{ contract: undefined, nodes: {} }, 'prod: has no output "contract"; allowed: a stack of'],
    [{ contract: 2, nodes: {} }, "prod: its outputs are contract 2; allowed: 1"],
    [{ contract: "1", nodes: {} }, 'prod: its outputs are contract "1"; allowed: 1'],
  ])("refuses %j", (outputs, message) => {
    expect(() => parseContract(STACK, outputs)).toThrow(message);
  });

  test("names the output that does not fit", () => {
    const { dockerHost, ...rest } = OUTPUTS.nodes["proj-docker02"] ?? {};
    expect(dockerHost).toBeDefined();
    expect(() =>
      parseContract(STACK, { contract: 1, nodes: { "proj-docker02": { ...rest, vmId: "2019" } } }),
    ).toThrow(
      /prod: outputs break contract 1\n(.*\n)*.*expected number.*\n.*vmId\n(.*\n)*.*dockerHost/,
    );
  });
});

describe("a network's gateway", () => {
  const bridge = { driver: "bridge", isolated: false, internal: false } as const;
  test.each<[NetworkConfig, string | undefined]>([
    [{ ...bridge, subnet: "172.19.0.0/24" }, "172.19.0.1"],
    [{ ...bridge, subnet: "172.19.0.64/26" }, "172.19.0.65"],
    [{ ...bridge, subnet: "172.19.0.4/31" }, "172.19.0.4"],
    [{ ...bridge, subnet: "172.19.0.0/24", gateway: "172.19.0.254" }, "172.19.0.254"],
    [{ ...bridge, subnet: "172.19.0.0/24", internal: true }, undefined],
  ])("%j: %s", (network, gateway) => {
    expect(gatewayOf(network)).toBe(gateway);
  });

  const over6 = { subnet: "fd25:28::/64" };
  const network = { ...bridge, subnet: "172.19.0.0/24", ipv6: over6 };
  test.each<[string, NetworkConfig, string | undefined]>([
    ["the first address", network, "fd25:28::1"],
    ["the declared one", { ...network, ipv6: { ...over6, gateway: "fd25:28::9" } }, "fd25:28::9"],
    ["none within", { ...network, internal: true }, undefined],
  ])("over IPv6: %s", (_, declared, gateway) => {
    expect(gatewayOf(declared, declared.ipv6)).toBe(gateway);
  });
});

describe("monitoring targets", () => {
  test.each([
    [undefined, []],
    ["127.0.0.1:9323", []],
    ["localhost:9323", []],
    ["[::1]:9323", []],
    ["10.25.20.24:9323", ["10.25.20.24:9323"]],
    ["0.0.0.0:9323", ["10.25.20.24:9323"]],
    ["[::]:9323", ["10.25.20.24:9323"]],
    [":9323", ["10.25.20.24:9323"]],
  ])("with metrics-addr %s: %j", (address, ats) => {
    const daemon = address ? { "metrics-addr": address } : {};
    const node = prodNode({ engine: { daemon }, monitoring: null });
    expect(monitoringTargets(node)).toEqual(ats.map((at) => ({ name: "docker", at })));
  });
});
