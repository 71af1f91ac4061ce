/** clients/pulumi/stack.ts: what recoveries ask of Pulumi's CLI. `pulumi` is a script that answers and writes down its arguments. */
import { loadSettings } from "../../config/load";
import { openPulumi, targetsOf, type Deployed } from "../../clients/pulumi/stack";
import { privateKey } from "../support/key";
import { usePrograms, type Programs } from "../support/programs";
import { prodWith, stackConfig } from "../support/settings";

const key = privateKey();
let programs: Programs;

beforeEach(() => {
  programs = usePrograms();
  programs.add(
    "pulumi",
    `echo "$PWD: $*" >>"$FOLDER/calls"
[[ -e $FOLDER/$1 ]] || { echo "error: no stack named 'prod' found" >&2; exit 255; }
cat "$FOLDER/$1" "$FOLDER/$1-$2" 2>/dev/null; exit 0`,
  );
});
afterEach(() => {
  programs.dispose();
});

const open = (): ReturnType<typeof openPulumi> => openPulumi("prod", programs.folder);
const calls = (): string[] =>
  programs
    .read("calls")
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(`${programs.folder}: `, ""));

const NODE = "proj-docker02";
const DOCKER = `urn:pulumi:prod::docker-node::docker-node:components:DockerNode$docker-node:components:DockerEngine$pulumi:providers:docker::${NODE}-docker::id`;
const urn = (type: string, name: string): string =>
  `urn:pulumi:prod::docker-node::${type}::${name}`;
const resource = (type: string, name: string, more: Partial<Deployed> = {}): Deployed => ({
  ...{ urn: urn(type, name), type, provider: DOCKER },
  ...more,
});

describe("what a stack has", () => {
  test("what nodes publish is what its outputs say of them", async () => {
    programs.write("stack", "");
    const nodes = { a: { hostKey: "ssh-ed25519 AAAA" }, b: {} };
    programs.write("stack-output", JSON.stringify({ contract: 1, nodes }));
    expect(await open().readPublished()).toEqual(nodes);
    expect(calls()).toEqual(["stack output --json --stack prod"]);
  });

  test("resources are those of its state", async () => {
    programs.write("stack", "");
    const resources = [resource("docker:index/network:Network", "n")];
    programs.write("stack-export", JSON.stringify({ version: 3, deployment: { resources } }));
    expect(await open().resources()).toEqual(resources);
    expect(calls()).toEqual(["stack export --stack prod"]);
  });

  test("a stack that was never brought up has neither", async () => {
    expect(await open().readPublished()).toEqual({});
    expect(await open().resources()).toEqual([]);
  });

  test("an empty state has no resources, and outputs without nodes no node", async () => {
    programs.write("stack", "{}");
    expect(await open().resources()).toEqual([]);
    expect(await open().readPublished()).toEqual({});
  });

  test("the configuration is read with its secrets, which are kept from what is shown", async () => {
    const values = stackConfig(prodWith({ ssh: key.ssh }));
    programs.write("config", JSON.stringify(values));
    const { settings, problems, secrets } = await open().configuration();
    expect(problems).toEqual([]);
    expect(settings?.nodes).toEqual(loadSettings(prodWith({ ssh: key.ssh })).nodes);
    expect(calls()).toEqual(["config --show-secrets --json --stack prod"]);
    const sealed = Object.values(values).filter(({ secret }) => secret);
    for (const { value } of sealed) expect(secrets).toContain(value);
  });
});

describe("bringing up", () => {
  test("takes the targets and nothing else, and asks nobody", async () => {
    programs.write("up", "");
    const targets = [urn("docker:index/network:Network", "n"), urn("a:b:C", "c")];
    await open().up(targets);
    const line = `up --refresh --yes --skip-preview --stack prod --target ${targets[0] ?? ""} --target ${targets[1] ?? ""}`;
    expect(calls()).toEqual([line]);
    expect(open().shown(targets)).toBe(`pulumi ${line}`);
  });

  test("looks at the nodes even where that is switched off: what is missing there is made again", async () => {
    process.env.DOCKER_NODE_DRIFT = "off";
    try {
      programs.add("pulumi", `echo "drift: [$DOCKER_NODE_DRIFT]" >>"$FOLDER/calls"`);
      await open().up([]);
      expect(calls()).toEqual(["drift: []"]);
    } finally {
      delete process.env.DOCKER_NODE_DRIFT;
    }
  });

  test("fails where pulumi fails", async () => {
    await expect(open().up([])).rejects.toThrow(/pulumi/);
  });

  test("says where to get a pulumi that is not there", async () => {
    const path = process.env.PATH;
    process.env.PATH = "/nonexistent";
    try {
      await expect(open().up([])).rejects.toThrow(/pulumi.*download-install/s);
    } finally {
      process.env.PATH = path;
    }
  });
});

describe("the targets of a container", () => {
  const network = resource("docker:index/network:Network", "n");
  const image = resource("docker:index/remoteImage:RemoteImage", "i");
  const CONTAINER = "docker:index/container:Container";
  const machine = resource("proxmoxve:index/vmLegacy:VmLegacy", "vm", { provider: "proxmox" });
  const agent = resource(CONTAINER, "c", {
    dependencies: [network.urn, image.urn, machine.urn],
    outputs: { name: "portainer-agent" },
  });
  const all = [machine, network, image, resource("docker:index/network:Network", "other"), agent];

  test("are what it needs on its Docker, and itself, in the order of the state", () => {
    expect(targetsOf("portainer-agent", NODE, all)).toEqual([network.urn, image.urn, agent.urn]);
  });

  test("are the steps that follow it too, such as its limits", () => {
    const on = (urn: string): object => ({ dependencies: [urn], provider: "command" });
    const limits = resource("command:remote:Command", "c-limits", on(agent.urn));
    const others = resource("command:remote:Command", "other-limits", on(image.urn));
    const environment = resource("command:local:Command", "environment", on(agent.urn));
    const found = targetsOf("portainer-agent", NODE, [...all, limits, others, environment]);
    expect(found).toEqual([network.urn, image.urn, agent.urn, limits.urn]);
  });

  test("are none for a container of that name that is not declared, or on another node", () => {
    expect(targetsOf("c", NODE, all)).toEqual([]);
    expect(targetsOf("portainer-agent", "proj-docker01", all)).toEqual([]);
    const volume = resource("docker:index/volume:Volume", "v", {
      outputs: { name: "portainer-agent" },
    });
    expect(targetsOf("portainer-agent", NODE, [volume])).toEqual([]);
  });
});
