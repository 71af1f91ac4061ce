import { inspect } from "node:util";
import { RunError } from "@pulumi/pulumi";
import { loadSettings, merge } from "../../config/load";
import { prodWith, problems } from "../support/settings";

/* How mistakes are told: once each, all of them at once, where they were written. */

const { proxmox, defaults } = prodWith({});

/** A fleet that is right: production's node many times, each with what has to be its own. */
function fleet(size: number, all: unknown = {}, own: (index: number) => unknown = () => ({})) {
  const node = (index: number): [string, unknown] => {
    const itself = {
      machine: { vmId: 3000 + index },
      network: { address: `10.25.20.${index + 50}/24` },
    };
    return [`node-${index}`, merge(itself, own(index))];
  };
  const nodes = Object.fromEntries(Array.from({ length: size }, (_, index) => node(index)));
  return { proxmox, defaults: merge(defaults, all), nodes };
}

test("a correct fleet has no problems", () => {
  expect(problems(fleet(100))).toEqual([]);
});

describe("one mistake is one line", () => {
  test("made in the defaults of 100 nodes", () => {
    expect(problems(fleet(100, { machine: { cpu: { cores: 0 } } }))).toEqual([
      "defaults.machine.cpu.cores: 0 (in 100 nodes); allowed: at least 1",
    ]);
  });

  test("a misspelt key in the defaults", () => {
    expect(problems(fleet(100, { machine: { vmid: 7 } }))).toEqual([
      expect.stringMatching(/^defaults.machine.vmid: 7 \(in 100 nodes\); allowed: not a key/),
    ]);
  });

  test("an overlap in the defaults, although each node has its own network", () => {
    const found = problems(
      fleet(100, { engine: { daemon: { bip: "10.25.0.1/16" } } }, (index) => ({
        network: { address: `10.25.${index}.24/24`, gateway: `10.25.${index}.1` },
      })),
    );
    expect(found.filter((line) => line.includes("bip"))).toEqual([
      expect.stringMatching(/^defaults.engine.daemon.bip: "10.25.0.1\/16" \(in 100 nodes\);/),
    ]);
  });

  test("something that no node has", () => {
    expect(problems(fleet(7, { network: { gateway: null } }))).toEqual([
      "nodes.node-0.network.gateway: missing (also in node-1, node-2, node-3, node-4, and 2 more); allowed: a text",
    ]);
  });

  test("the same in two nodes", () => {
    const found = problems(
      fleet(5, {}, (index) => (index > 2 ? { machine: { memoryGiB: 0.1 } } : {})),
    );
    expect(found).toEqual([
      "nodes.node-3.machine.memoryGiB: 0.1 (also in node-4); allowed: at least 0.5",
      "nodes.node-3.machine.memoryGiB: 0.1 (also in node-4); allowed: a multiple of 0.25",
    ]);
  });

  test("one MAC address for all, however it is written", () => {
    const one = { network: { macAddress: "BC:24:11:00:20:24" } };
    const macOf = (index: number): object =>
      index === 2 ? { network: { macAddress: "bc:24:11:00:20:24" } } : {};
    expect(problems(fleet(3, one, macOf)).filter((found) => found.includes("mac"))).toEqual([
      'defaults.network.macAddress: "BC:24:11:00:20:24"; allowed: a value that no other node has; node-0 has this one',
      'nodes.node-2.network.macAddress: "BC:24:11:00:20:24"; allowed: a value that no other node has; node-0 has this one',
    ]);
  });

  test("one VM id for all", () => {
    const found = problems(fleet(4, { machine: { vmId: 9 } }, () => ({ machine: { vmId: 2019 } })));
    expect(found).toEqual([
      "nodes.node-1.machine.vmId: 2019 (also in node-2 and node-3); allowed: a value that no other node has; node-0 has this one",
    ]);
  });

  test("what a node overrides is its own mistake", () => {
    const found = problems(
      fleet(3, { machine: { cpu: { cores: 0 } } }, (index) =>
        index === 1 ? { machine: { cpu: { cores: 4096 } } } : {},
      ),
    );
    expect(found).toEqual([
      "defaults.machine.cpu.cores: 0 (in 2 nodes); allowed: at least 1",
      "nodes.node-1.machine.cpu.cores: 4096; allowed: at most 128",
    ]);
  });
});

describe("a value of the wrong type does not hide other mistakes", () => {
  const wrong = {
    machine: { cpu: { cores: 0 }, vmid: 7, dockerDisk: null },
    network: { gateway: "10.25.99.1", firewall: { rules: [{ proto: "tcp" }] } },
    networks: { extra: { subnet: "172.18.9.0/24" }, broken: { subnet: "x" } },
  };

  test("in another section, in the same one, and in an entry beside it", () => {
    const found = problems(prodWith(wrong)).map((line) => line.replace(/;.*/, ""));
    expect(found).toEqual([
      "nodes.proj-docker02.machine.cpu.cores: 0",
      "nodes.proj-docker02.machine.vmid: 7",
      'nodes.proj-docker02.networks.broken.subnet: "x"',
      'nodes.proj-docker02.network.gateway: "10.25.99.1"',
      "nodes.proj-docker02.network.firewall.rules.0.port: missing",
      'defaults.engine.daemon.storage-opts: "overlay2.size=50G"',
      'nodes.proj-docker02.networks.extra.subnet: "172.18.9.0/24"',
    ]);
  });

  test("and does not hide mistakes between nodes", () => {
    const nodes = {
      a: { ...wrong, primary: "c" },
      b: { network: { address: "10.25.20.300/24" }, primary: "a" },
      c: {},
    };
    const found = problems({ proxmox, defaults, nodes }).join("\n");
    expect(found).toMatch(/nodes\.b\.network\.address: "10\.25\.20\.300\/24"/);
    expect(found).toMatch(/nodes\.a\.networks\.extra\.subnet/);
    expect(found).toMatch(/machine.vmId: 2019 \(in 2 nodes\); .* a has this one/);
    expect(found).not.toMatch(/primary/);
  });

  test("and causes no false reports about values that could not be read", () => {
    const found = problems(
      prodWith({ machine: { dockerDisk: { sizeGiB: "big" } }, volumes: { "a b": {} }, ssh: 5 }),
    );
    expect(found.map((line) => line.replace(/;.*/, ""))).toEqual([
      'nodes.proj-docker02.machine.dockerDisk.sizeGiB: "big"',
      "nodes.proj-docker02.ssh: 5",
      'nodes.proj-docker02.volumes."a b": "a b"',
    ]);
  });
});

describe("a plain pulumi up", () => {
  /** What its language host prints (@pulumi/pulumi, cmd/run/run.ts): a RunError's message, else everything. */
  function printed(raw: Parameters<typeof loadSettings>[0]): string {
    try {
      loadSettings(raw);
    } catch (error) {
      return RunError.isInstance(error) ? error.message : inspect(error, { colors: true });
    }
    return "";
  }

  test("prints the message of a configuration error and nothing else", () => {
    expect(printed(prodWith({ machine: { cpu: { cores: 0 } } }))).toBe(
      [
        "1 problem in the configuration; nothing was changed:",
        "  nodes.proj-docker02.machine.cpu.cores: 0; allowed: at least 1",
      ].join("\n"),
    );
  });
});
