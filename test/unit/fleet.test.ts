import { loadSettings, type RawSettings, type Settings } from "../../config/load";
import type { Lab } from "../../lab/lib/services";
import { labConfig } from "../../lab/lib/stack";
import { refusal } from "../../config/removal";
import { secondNode } from "../lab/second-node";

/** Several nodes in one stack. */

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

  test("for a node that is gone from the configuration", () => {
    expect(refusal(vm, ["a"])).toBe(
      `a-b (VM 2014) is protected and was not deleted. To remove it, in two steps:
1. with nodes.a-b in the configuration, set nodes.a-b.machine.protect to false and run pulumi up:
   this lifts the protection in Pulumi and in Proxmox;
2. take nodes.a-b out of the configuration and run pulumi up.
The VM's disks go with it, and so does the data of its volumes.`,
    );
  });

  test("for one of its volumes, and for a volume alone", () => {
    expect(refusal(volume, ["a"])).toMatch(
      /^volume my-data of a-b is .*\n1. with nodes.a-b in the/,
    );
    expect(refusal(volume, ["a", "a-b"])).toMatch(/\n2. take nodes.a-b.volumes.my-data out of/);
  });
});

describe("the lab's second node", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const lab = {
    endpoint: "https://127.0.0.1:8006",
    imageUrl: "http://127.0.0.1:8080/files/guest.qcow2",
    image: { sha256: "0".repeat(64) },
    images: { agent: { repository: "portainer/agent", tag: "2.39.1", digest } },
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
});
