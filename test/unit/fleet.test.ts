import * as pulumi from "@pulumi/pulumi";
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { renderScript } from "../../node/scripts";
import { loadSettings, merge, type RawSettings, type Settings } from "../../config/load";
import { primaryOf } from "../../config/node";
import { declare } from "../../lab/lib/instance";
import type { Lab } from "../../lab/lib/services";
import { labConfig } from "../../lab/lib/config";
import { explainRefusal } from "../../config/removal";
import runStack from "../../index";
import { secondNode } from "../lab/second-node";
import { privateKey } from "../support/key";
import { settle, startPulumi, unwrap, type Recorder } from "../support/mocks";
import { prodNode, prodWith, stackConfig, stackFile } from "../support/settings";

/** Several nodes in one stack. */

/** A resource as the SDK asks the monitor for it. */
interface Asked {
  getName(): string;
  getDependenciesList(): string[];
}

/** Exported, but marked internal. */
const { getMonitor } = pulumi.runtime as unknown as {
  getMonitor: () => { registerResource: (asked: Asked) => void };
};

const ONE = { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } };
const key = privateKey();

/** Production's node and its twin, from one set of defaults. */
function fleet(defaults: object, one: object | null = ONE, two: object = {}): RawSettings {
  const raw = prodWith({});
  const shared = { ssh: key.ssh, ...defaults };
  const nodes = merge({ "proj-docker01": ONE, "proj-docker02": two }, { "proj-docker01": one });
  return { proxmox: raw.proxmox, defaults: merge(raw.defaults, shared), nodes };
}

describe("the primary node", () => {
  const primaries = (raw: RawSettings): unknown =>
    Object.values(loadSettings(raw).nodes).map(primaryOf);

  test("can be named in the defaults, and has no primary itself", () => {
    expect(primaries(fleet({ primary: "proj-docker01" }))).toEqual([
      undefined,
      { host: "10.25.20.23", port: 22 },
    ]);
  });

  test("is an address if each node has a stack of its own", () => {
    const primary = { address: "10.25.20.23", port: 9001 };
    expect(primaries(fleet({ primary }, null))).toEqual([{ host: "10.25.20.23", port: 9001 }]);
    expect(primaries(fleet({}))).toEqual([undefined, undefined]);
  });

  test("has to be declared, or an address", () => {
    expect(() => loadSettings(fleet({}, ONE, { primary: "proj-docker03" }))).toThrow(
      'nodes.proj-docker02.primary: "proj-docker03"; allowed: a node of this stack ' +
        "(proj-docker01, proj-docker02), or { address, port } of one elsewhere",
    );
  });

  /** Pulumi, for a program with this configuration. */
  function start(raw: RawSettings): Promise<Recorder> {
    const settings = Object.entries(raw).map(([key, value]) => [
      `docker-node:${key}`,
      JSON.stringify(value),
    ]);
    return startPulumi({
      config: {
        ...(Object.fromEntries(settings) as Record<string, string>),
        "docker-node:proxmoxApiToken": "automation@pve!pulumi=token",
        "docker-node:agentSecret": "a-secret-of-some-length",
      },
    });
  }

  /** What each check waits for, by name. */
  async function waits(raw: RawSettings): Promise<Record<string, string>> {
    const recorder = await start(raw);
    const registered = jest.spyOn(getMonitor(), "registerResource");
    await runStack();
    await settle(recorder);
    const checks = registered.mock.calls.filter(([asked]) => /-primary$/.test(asked.getName()));
    return Object.fromEntries(
      checks.map(([asked]) => [asked.getName(), asked.getDependenciesList().join("\n")]),
    );
  }

  test("of the same stack comes first, wherever it is declared, its check apart", async () => {
    const each = { primary: "proj-docker01" };
    const found = await waits(fleet({}, { ...ONE, primary: "proj-docker02" }, each));
    const confirmed = ["proj-docker01-firewall-confirm", "proj-docker02-firewall-confirm"];
    expect(Object.keys(found).sort()).toEqual(["proj-docker01-primary", "proj-docker02-primary"]);
    for (const urns of Object.values(found)) {
      for (const step of confirmed) expect(urns).toContain(step);
      expect(urns).not.toMatch(/-agent-container|-primary/);
    }
  });

  test("comes with its agent, where that is asked", async () => {
    const primary = { address: "10.25.20.24", port: 9001 };
    const { "proj-docker01-primary": urns } = await waits(fleet({}, { ...ONE, primary }));
    expect(urns).toContain("proj-docker02-firewall-confirm");
    expect(urns).toContain("proj-docker02-agent-container");
    expect(urns).not.toContain("proj-docker01-agent-container");
  });

  test("is asked from the other node, and the answer is an output", async () => {
    const recorder = await start(fleet({ primary: "proj-docker01" }));
    const { nodes } = await runStack();
    await settle(recorder);
    const asked = recorder.all("command:remote:Command").filter((c) => /-primary$/.test(c.name));
    expect(asked.map(({ name }) => name)).toEqual(["proj-docker02-primary"]);
    expect(nodes["proj-docker01"]?.primary).toBeUndefined();
    expect(await unwrap(pulumi.output(nodes["proj-docker02"]?.primary))).toEqual({
      address: "10.25.20.23",
      port: 22,
      reachable: true,
      checkedAt: "2026-01-31T12:00:00Z",
    });
  });
});

describe("the script that asks", () => {
  /** Runs it as a node would; the answer and what it logs. */
  async function ask(port: number): Promise<{ answer: unknown; stderr: string }> {
    const variables = { PRIMARY_ADDRESS: "127.0.0.1", PRIMARY_PORT: port, POLL_SECONDS: 0 };
    const run = promisify(execFile)("bash", ["-s"]);
    run.child.stdin?.end(renderScript("reachability", variables));
    const { stdout, stderr } = await run;
    return { answer: JSON.parse(stdout), stderr };
  }
  const checkedAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string;

  test("says that a primary answers, and does not fail when none does", async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    expect(await ask(port)).toEqual({ answer: { reachable: true, checkedAt }, stderr: "" });
    await new Promise((resolve) => server.close(resolve));
    expect(await ask(port)).toEqual({
      answer: { reachable: false, checkedAt },
      stderr: `docker-node: reachability: the primary does not accept connections: 127.0.0.1 port ${port}\n`,
    });
  });
});

describe("what is said when a protected resource would be deleted", () => {
  const vm = {
    name: "a-b-vm",
    type: "proxmoxve:index/vmLegacy:VmLegacy",
    oldInputs: { vmId: 2014 },
  };
  const volume = {
    name: "a-b-my-data",
    type: "docker:index/volume:Volume",
    oldInputs: { name: "my-data" },
  };

  test("for an adopted network, and an adopted agent", () => {
    const network = { name: "a-b-dev-net", type: "docker:index/network:Network" };
    expect(explainRefusal({ ...network, oldInputs: { name: "dev-net" } }, [])).toMatch(
      /^network dev-net of a-b is protected[^]*\n2. remove nodes.a-b from/,
    );
    const agent = { name: "a-b-agent-container", type: "docker:index/container:Container" };
    expect(explainRefusal({ ...agent, oldInputs: { name: "portainer_agent" } }, ["a-b"])).toMatch(
      /^container portainer_agent of a-b is[^]*\n2. remove nodes.a-b.portainer from/,
    );
  });

  test("for a node that is gone from the configuration", () => {
    expect(explainRefusal(vm, ["a"])).toBe(
      `a-b (VM 2014) is protected and was not deleted. To remove it, in two steps:
1. with nodes.a-b in the configuration, set nodes.a-b.machine.protect to false and run pulumi up:
   this lifts the protection in Pulumi and in Proxmox, and needs a waiver of machine-unprotected meanwhile;
2. remove nodes.a-b from the configuration and run pulumi up.
The VM's disks go with it, and so does the data of its volumes.`,
    );
  });

  test("for one of its volumes, and for a volume alone", () => {
    expect(explainRefusal(volume, ["a"])).toMatch(
      /^volume my-data of a-b is .*\n1. with nodes.a-b in the/,
    );
    expect(explainRefusal(volume, ["a", "a-b"])).toMatch(
      /\n2. remove nodes.a-b.volumes.my-data from/,
    );
  });
});

describe("the lab's second node", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const stateDir = fs.mkdtempSync(path.join(os.tmpdir(), "lab-fleet-"));
  afterAll(() => {
    fs.rmSync(stateDir, { recursive: true });
  });
  const lab = {
    instance: { name: "fleet", stateDir, runDir: stateDir },
    endpoint: "https://127.0.0.1:8006",
    imageUrl: "http://127.0.0.1:8080/files/guest.qcow2",
    image: { sha256: "0".repeat(64) },
    docker: { path: "linux/debian", fingerprint: "AB".repeat(20) },
    images: {
      agent: { repository: "portainer/agent", tag: "2.39.1", digest },
      backup: { repository: "docker-node/backup", tag: "lab", digest },
    },
    pbs: {
      port: 18007,
      fingerprint: Array(32).fill("AB").join(":"),
      storageToken: { id: "pve@pbs!pbs01" },
      backupTokens: {
        "proj-docker01": { id: "backup@pbs!proj-docker01" },
        "proj-docker02": { id: "backup@pbs!proj-docker02" },
      },
    },
    credentials: { publicKey: "ssh-ed25519 AAAA lab", privateKeyFile: "/lab/id_ed25519" },
    forwards: { "2019": { ssh: 10022, agent: 19001 }, "2014": { ssh: 20022, agent: 29001 } },
  } as unknown as Lab;
  const load = (override: Record<string, unknown>): Settings =>
    loadSettings(labConfig(lab, override) as unknown as RawSettings);

  test("is its own VM on the first one's segment", () => {
    const { nodes } = load(secondNode);
    const [one, two] = [nodes["proj-docker01"], nodes["proj-docker02"]];
    expect(two).toEqual(load({}).nodes["proj-docker02"]);
    expect(one?.machine.vmId).toBe(2014);
    expect(one?.network).toEqual({ ...two?.network, address: "10.25.20.23/24" });
    expect(one?.ssh.endpoint).toEqual({ host: "127.0.0.1", port: 20022 });
  });

  test("waives of the benchmark what production does, and its own registry", () => {
    const ofChecks = (waivers: Settings["waivers"]): string[] =>
      waivers.flatMap(({ id }) => (id.startsWith("cis-docker-") ? id : []));
    const { waivers } = loadSettings(stackFile("prod"));
    // The lab has no cAdvisor.
    const production = ofChecks(
      waivers.filter(({ container = "" }) => !/cadvisor|socket_proxy/.test(container)),
    );
    expect(production).toContain("cis-docker-5.32");
    expect(ofChecks(load({}).waivers)).toEqual([...production, "cis-docker-2.5"]);
  });

  test("a lab instance keeps its own settings, and a command's settings override them", () => {
    const cores = (override: Record<string, unknown>): number | undefined =>
      load(override).nodes["proj-docker02"]?.machine.cpu.cores;
    const having = (count: number): Record<string, unknown> => ({
      nodes: { "proj-docker02": { machine: { cpu: { cores: count } } } },
    });
    expect(cores({})).toBe(6);
    declare(lab.instance, having(2));
    expect([cores({}), cores(having(4))]).toEqual([2, 4]);
  });
});

describe("cloud images", () => {
  // An image replaces that of the defaults whole.
  const usual = prodNode().machine.image as object;
  const other = { ...usual, sha256: "0".repeat(64) };
  const found = (raw: RawSettings): string => {
    try {
      loadSettings(raw);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each([
    ["another checksum", { image: other }],
    ["another URL", { image: { ...usual, url: "https://example.org/other.img" } }],
    [
      "another checksum on another Proxmox node: the datastore may be shared",
      { image: other, proxmoxNode: "pve02" },
    ],
  ])("two under one file name are refused: %s", (_what, machine) => {
    expect(found(fleet({}, ONE, { machine }))).toMatch(
      /nodes.proj-docker02.machine.image.fileName: "ubuntu-24.04-20260814.qcow2"; allowed: a name of its own, or the source that proj-docker01 declares for it: https:\S+ with sha256 [0-9a-f]{64}$/,
    );
  });

  test.each([
    ["neither checksum", { sha256: null }],
    ["both", { sha512: "0".repeat(128) }],
  ])("one with %s is refused", (_what, checksum) => {
    const image = Object.fromEntries(
      Object.entries({ ...usual, ...checksum }).filter(([, value]) => value !== null),
    );
    expect(found(fleet({}, ONE, { machine: { image } }))).toMatch(
      /nodes.proj-docker02.machine.image.sha256: .*allowed: one checksum of the image: sha256 or sha512$/m,
    );
  });

  /** The download that both nodes start from. */
  async function download(image: object, two: object = {}): Promise<Record<string, unknown>> {
    const raw = fleet({ machine: { image } }, ONE, two);
    const config = Object.entries(stackConfig(raw)).map(([name, { value }]) => [name, value]);
    const recorder = await startPulumi({
      config: Object.fromEntries(config) as Record<string, string>,
    });
    await runStack();
    await settle(recorder);
    return recorder.find("proxmoxve:download/file:File").inputs;
  }

  test("Proxmox checks the download by SHA-512 if that is declared", async () => {
    const { sha256, ...rest } = usual as Record<string, unknown>;
    const sha512 = `${String(sha256)}${String(sha256)}`;
    expect(await download({ ...rest, sha512 })).toMatchObject({
      checksum: sha512,
      checksumAlgorithm: "sha512",
    });
  });

  test("two images with two names, or one image for both nodes, are accepted", () => {
    expect(found(fleet({}, ONE, {}))).toBe("");
    const image = { ...other, fileName: "other.qcow2" };
    expect(found(fleet({}, ONE, { machine: { image } }))).toBe("");
  });

  test("on a shared datastore one Proxmox node downloads for all", async () => {
    const two = { machine: { proxmoxNode: "pve02" } };
    const inputs = await download({ ...usual, node: "pve01" }, two);
    expect(inputs).toMatchObject({ nodeName: "pve01" });
  });
});
