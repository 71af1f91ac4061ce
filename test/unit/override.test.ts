import * as pulumi from "@pulumi/pulumi";
import { applyOverride, keepIgnored } from "../../components/shared/override";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { settle, startPulumi, type Recorder } from "../support/mocks";
import { mockConfig, problems, prodWith, waived } from "../support/settings";

/** What the configuration has no word for. */

const key = privateKey();
const VM = "proxmoxve:index/vmLegacy:VmLegacy";
const CONTAINER = "docker:index/container:Container";

async function run(override: unknown): Promise<Recorder> {
  const raw = prodWith({ ssh: key.ssh, override });
  const recorder = await startPulumi({
    config: mockConfig(raw),
  });
  await runStack();
  await settle(recorder);
  return recorder;
}

const OVERRIDE = {
  machine: {
    watchdog: { enabled: true, model: "i6300esb" },
    cpu: { flags: ["+aes"] },
    vga: { type: "std" },
    bootOrders: ["scsi0", "net0"],
    serialDevices: [],
  },
  agent: { memory: 512, envs: ["HTTP_PROXY=http://10.25.10.1:3128", "LOG_LEVEL=DEBUG"] },
  backup: { cpuShares: 512 },
};

test("reaches the VM and both containers, and nothing else of them changes", async () => {
  const said = jest.spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
  const plain = await run(undefined);
  expect(said).not.toHaveBeenCalled();
  const over = await run(OVERRIDE);
  const before = plain.find(VM).inputs;
  expect(over.find(VM).inputs).toEqual({
    ...before,
    watchdog: OVERRIDE.machine.watchdog,
    cpu: { ...(before.cpu as object), flags: ["+aes"] },
    vga: { type: "std" },
    bootOrders: ["scsi0", "net0"],
    serialDevices: [],
  });
  const agent = "proj-docker02-agent-container";
  const { envs, ...rest } = over.find(CONTAINER, agent).inputs;
  const { envs: own, ...same } = plain.find(CONTAINER, agent).inputs;
  expect(rest).toEqual({ ...same, memory: 512 });
  const secret = "AGENT_SECRET=a-secret-of-some-length";
  expect(own).toMatchObject({ value: ["LOG_LEVEL=INFO", secret] });
  expect(envs).toMatchObject({ value: [secret, ...OVERRIDE.agent.envs] });
  const backup = "proj-docker02-backups-container";
  const { inputs } = plain.find(CONTAINER, backup);
  expect(over.find(CONTAINER, backup).inputs).toEqual({ ...inputs, cpuShares: 512 });
  const others = plain.resources.map(({ inputs }) => JSON.stringify(inputs));
  const changed = over.resources.filter((one) => !others.includes(JSON.stringify(one.inputs)));
  // Such a VM may boot anew, and these two wait for it.
  const waits = ["boot", "agent-certificate"].map((step) => `proj-docker02-${step}`);
  expect(changed.map(({ name }) => name).sort()).toEqual(
    ["proj-docker02-vm", agent, backup, ...waits].sort(),
  );
  expect(said.mock.calls.map(([message]) => message)).toEqual([
    "override.machine: watchdog, cpu, vga, bootOrders, serialDevices; docker-node does not check this",
    "override.agent: memory, envs; docker-node does not check this",
    "override.backup: cpuShares; docker-node does not check this",
  ]);
  said.mockRestore();
});

test("without an override the arguments are the same object", () => {
  const args = { a: 1 };
  expect(applyOverride(args)).toBe(args);
});

test("a Pulumi output is passed on unchanged", () => {
  const output = pulumi.output("x");
  expect(applyOverride({ a: output, b: { c: output } }, { b: { d: 1 } })).toEqual({
    a: output,
    b: { c: output, d: 1 },
  });
});

test("of an adopted machine, only what is overridden is changed", () => {
  const ignored = ["watchdog", "cpu.flags", "cpu.numa", "networkDevices[0].mtu", "initialization"];
  expect(keepIgnored(ignored)).toEqual(ignored);
  const override = { watchdog: {}, cpu: { flags: [] }, networkDevices: [] };
  expect(keepIgnored(ignored, override)).toEqual(["cpu.numa", "initialization"]);
});

const AT = "nodes.proj-docker02.override";
const ID = "a".repeat(64);

/** [what, node, problem] */
const REFUSED: [string, object, string][] = [
  [
    "the VM's id",
    { override: { machine: { vmId: 7 } } },
    `${AT}.machine.vmId: 7; allowed: not here; it is set by machine.vmId`,
  ],
  [
    "its node",
    { override: { machine: { nodeName: "pve02" } } },
    `${AT}.machine.nodeName: "pve02"; allowed: not here; it is set by machine.proxmoxNode`,
  ],
  [
    "its size",
    { override: { machine: { cpu: { cores: 8, flags: [] } } } },
    `${AT}.machine.cpu.cores: 8; allowed: not here; it is set by machine.cpu.cores`,
  ],
  [
    "a container's name",
    { override: { agent: { name: "x" } } },
    `${AT}.agent.name: "x"; allowed: not here; it is set by the program, because other parts look for it`,
  ],
  [
    "an image",
    { override: { backup: { image: "x" } } },
    `${AT}.backup.image: "x"; allowed: not here; it is set by backups.image`,
  ],
  [
    "another resource",
    { override: { network: {} } },
    `${AT}.network: {}; allowed: not a key of this section; see docs/reference/configuration.md`,
  ],
  [
    "an agent that is not there",
    { portainer: null, override: { agent: { memory: 1 } } },
    `${AT}.agent: {"memory":1}; needs a portainer section`,
  ],
  [
    "backups that are not there",
    { backups: null, override: { backup: { memory: 1 } } },
    `${AT}.backup: {"memory":1}; needs a backups section`,
  ],
  [
    "an adopted agent",
    {
      machine: { adopt: true, image: null },
      adopt: { agent: ID },
      override: { agent: { memory: 1 } },
    },
    `${AT}.agent: {"memory":1}; leave it out with adopt.agent: an adopted container stays as it is`,
  ],
];

test.each(REFUSED)("refused: %s", (_what, node, problem) => {
  expect(problems(waived(prodWith(node)))).toEqual([problem]);
});
