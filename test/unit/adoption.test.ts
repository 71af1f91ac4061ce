import { adoptAgent, adoptNetwork, adoptVm, adoptVolume } from "../../components/shared/adoption";
import { loadSettings } from "../../config/load";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { HOST_KEY, settle, startPulumi, type Recorder } from "../support/mocks";
import { mockConfig, prodNode, prodWith, waived } from "../support/settings";

/* What exists already and is declared as it is. */

const ID = "a".repeat(64);
const ADOPTED = {
  machine: { adopt: true, image: null },
  volumes: { data: {}, fresh: {} },
  backups: null,
  monitoring: null,
  adopt: { networks: { "development-secondary": ID }, volumes: ["data"], agent: ID },
};
type Override = Record<string, unknown> & { ssh?: object };
const key = privateKey();

async function run({ ssh, ...override }: Override, preview = false): Promise<Recorder> {
  // Not merged: what the override sets to null has to reach the settings.
  const raw = prodWith({ ...override, ssh: { ...key.ssh, ...ssh } });
  const { waivers } = waived(raw);
  const recorder = await startPulumi({
    preview,
    config: { ...mockConfig(raw), "docker-node:waivers": JSON.stringify(waivers) },
  });
  await runStack();
  await settle(recorder);
  return recorder;
}

describe("an adopted node", () => {
  test("imports the VM, and leaves hardware that nobody declared", () => {
    const options = adoptVm(prodNode(ADOPTED));
    expect(options.import).toBe("pve01/2019");
    const ignored = options.ignoreChanges as string[];
    for (const path of ["machine", "scsiHardware", "initialization", "disks[1].iothread"])
      expect(ignored).toContain(path);
    for (const path of ["cpu.cores", "cpu.type", "memory.dedicated", "disks[0].size", "onBoot"])
      expect(ignored).not.toContain(path);
    expect(adoptVm(prodNode())).toEqual({});
    expect(adoptVm(prodNode(ADOPTED), true)).toEqual({ ignoreChanges: ignored });
  });

  test("changes MTU and MAC address of the NIC only where they are declared", () => {
    const [mtu, mac] = ["networkDevices[0].mtu", "networkDevices[0].macAddress"];
    const kept = (network: object): unknown =>
      adoptVm(prodNode({ ...ADOPTED, network })).ignoreChanges;
    expect(kept({})).toEqual(expect.arrayContaining([mtu, mac]));
    expect(kept({ mtu: 1500 })).toContain(mac);
    expect(kept({ mtu: 1500 })).not.toContain(mtu);
    expect(kept({ macAddress: "BC:24:11:00:20:24" })).toContain(mtu);
    expect(kept({ macAddress: "BC:24:11:00:20:24" })).not.toContain(mac);
  });

  test("keeps a firewall that is not declared, and its disks as they are", () => {
    const firewall = "networkDevices[0].firewall";
    expect(adoptVm(prodNode(ADOPTED)).ignoreChanges).not.toContain(firewall);
    const engine = { daemon: { "storage-opts": null } };
    const bare = { ...ADOPTED, engine, network: { firewall: null } };
    const machine = { ...ADOPTED.machine, dockerDisk: null, disk: { sizeGiB: 132 } };
    const { ignoreChanges } = adoptVm(prodNode({ ...bare, machine }));
    expect(ignoreChanges).toContain(firewall);
    expect((ignoreChanges as string[]).filter((path) => path.startsWith("disks[1]"))).toEqual([]);
  });

  test("imports and protects what adopt names, and creates the rest", () => {
    const node = prodNode(ADOPTED);
    expect(adoptNetwork(node, "development-secondary")).toMatchObject({
      import: ID,
      protect: true,
    });
    expect(adoptNetwork(node, "astronomy-compute-secondary")).toEqual({});
    expect(adoptVolume(node, "data")).toEqual({ import: "data" });
    expect(adoptVolume(node, "fresh")).toEqual({});
    expect(adoptAgent(node)).toMatchObject({ import: ID, protect: true });
    expect(adoptAgent(prodNode())).toEqual({});
  });

  test("keeps its agent on the image it runs, and its environment out of the state", async () => {
    const recorder = await run(ADOPTED);
    expect(recorder.all("docker:index/remoteImage:RemoteImage")).toEqual([]);
    expect(recorder.all("proxmoxve:download/file:File")).toEqual([]);
    const { inputs } = recorder.find("docker:index/container:Container");
    expect(inputs.envs).toEqual([]);
    expect(JSON.stringify(inputs)).not.toContain("a-secret");
    const limited = recorder.all("command:remote:Command").map(({ name }) => name);
    expect(limited.filter((name) => name.endsWith("-limits"))).toEqual([]);
  });

  test("is read in the preview if its host key is declared", async () => {
    const host = await run({ ...ADOPTED, ssh: { hostKey: HOST_KEY } }, true);
    expect(host.find("pulumi:providers:docker").inputs.sshOpts).toContain(HOST_KEY);
  });
});

describe("configuration of what is adopted", () => {
  const problems = (override: unknown): string => {
    try {
      loadSettings(waived(prodWith(override)));
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each([
    [
      { adopt: { networks: { nowhere: ID } } },
      'adopt.networks: "nowhere"; allowed: a name declared',
    ],
    [{ adopt: { volumes: ["nothing"] } }, 'adopt.volumes: "nothing"; allowed: a name declared'],
    [{ adopt: { agent: "abc" } }, 'adopt.agent: "abc"; allowed: a full Docker id'],
    [{ portainer: null }, "adopt.agent:"],
    [
      { machine: { adopt: false, image: { template: 9000 } } },
      "machine.adopt: false; allowed: true",
    ],
    [
      { machine: { adopt: false, image: null }, adopt: {} },
      "machine.image: missing; allowed: a cloud image or a template",
    ],
  ])("%j is refused", (override, message) => {
    expect(problems({ ...ADOPTED, ...override })).toContain(message);
  });

  test("an adopted node needs no image", () => {
    expect(problems(ADOPTED)).toBe("");
    expect(prodNode(ADOPTED).machine.image).toBeUndefined();
  });
});
