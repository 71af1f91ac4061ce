/** Two nodes in one stack and one at a time, under the real Pulumi: no VM and no Proxmox is needed. */
import * as fs from "node:fs";
import * as path from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { PreviewOptions, UpOptions } from "@pulumi/pulumi/automation";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import runStack from "../../index";
import { privateKey } from "../support/key";
import { prodWith, stackConfig } from "../support/settings";
import { BarePulumi } from "./bare-pulumi";
import { Steps, upSteps } from "./support";

jest.setTimeout(5 * 60_000);

const bare = new BarePulumi();
const key = privateKey();

/** proj-docker02 and its twin from production's defaults; nobody listens at the endpoint. */
function settings(): RawSettings {
  const raw = prodWith({ primary: "proj-docker01" });
  const twin = { machine: { vmId: 2014 }, network: { address: "10.25.20.23/24" } };
  return {
    proxmox: { endpoint: "https://127.0.0.1:1/" },
    defaults: merge(raw.defaults, { ssh: key.ssh }),
    nodes: merge(raw.nodes, { "proj-docker01": twin }),
  };
}

/** What docs/how-to/run-several-nodes.md tells to type. */
const target = ["**::proj-docker02", "**::proj-docker02-*", "**:components:CloudImage**"];

test("the documentation has the patterns that are tested here", () => {
  const page = fs.readFileSync(
    path.join(__dirname, "../../docs/how-to/run-several-nodes.md"),
    "utf8",
  );
  for (const pattern of target) expect(page).toContain(`--target '${pattern}'`);
});

describe("the program", () => {
  /** Names of what a preview of an empty stack would create. */
  async function created(options: PreviewOptions = {}): Promise<string[]> {
    const raw = settings();
    loadSettings(raw);
    const stack = await bare.open("program", async () => ({ ...(await runStack()) }));
    await stack.setAllConfig(stackConfig(raw));
    const steps = new Steps();
    await stack.preview({ ...options, onEvent: steps.onEvent });
    return steps.with("create");
  }

  test("makes both nodes of one stack, and their image once", async () => {
    const names = await created();
    const own = (node: string): string[] =>
      names.filter((name) => `${name}-`.startsWith(`${node}-`)).map((n) => n.slice(node.length));
    expect(own("proj-docker01").length).toBeGreaterThan(15);
    expect(own("proj-docker02")).toEqual([...own("proj-docker01"), "-primary"].sort());
    expect(names.filter((name) => name.endsWith("-file"))).toHaveLength(1);
  });

  test("is refused a target while the other node was never made", async () => {
    await expect(created({ target })).rejects.toThrow("not specified in --target list");
  });
});

describe("--target", () => {
  /** What a node is to Pulumi: something shared below it, something it has, a provider that follows from that. */
  class Node extends pulumi.ComponentResource {
    constructor(name: string, input: string, image: pulumi.Resource) {
      super("docker-node:components:DockerNode", name);
      const vm = new pulumi.Stash(`${name}-vm`, { input }, { parent: this, dependsOn: [image] });
      const sshOpts = vm.output.apply((value: unknown) => ["-o", `User=${String(value)}`]);
      const opts = { parent: this, dependsOn: [vm] };
      new docker.Provider(`${name}-docker`, { host: "ssh://127.0.0.1:1", sshOpts }, opts);
      this.registerOutputs({});
    }
  }
  class CloudImage extends pulumi.ComponentResource {
    readonly file: pulumi.Stash;
    constructor(name: string) {
      super("docker-node:components:CloudImage", name);
      this.file = new pulumi.Stash(`${name}-file`, { input: name }, { parent: this });
      this.registerOutputs({});
    }
  }

  /** Declares an image and nodes with a value each, runs `up`; what was done to which resource. */
  async function up(
    image: string,
    nodes: Record<string, string>,
    options: UpOptions = {},
  ): Promise<string[]> {
    const stack = await bare.open("nodes", async () => {
      const { file } = new CloudImage(image);
      for (const [name, value] of Object.entries(nodes)) new Node(name, value, file);
      return Promise.resolve({});
    });
    const steps = await upSteps(stack, options);
    const operations = ["create", "update", "delete-replaced", "delete"];
    return operations.flatMap((op) => steps.with(op).map((name) => `${op} ${name}`));
  }

  test("makes, changes and leaves alone one node beside others", async () => {
    await up("noble", { "proj-docker01": "1" });
    const made = await up("plucky", { "proj-docker01": "2", "proj-docker02": "1" }, { target });
    expect(made).toEqual([
      "create plucky",
      "create plucky-file",
      "create proj-docker02",
      "create proj-docker02-docker",
      "create proj-docker02-vm",
    ]);
    const both = { "proj-docker01": "2", "proj-docker02": "2" };
    expect(await up("plucky", both, { target })).toContain("update proj-docker02-vm");
    const rest = await up("plucky", both);
    expect(rest).toContain("update proj-docker01-vm");
    expect(rest.join()).not.toContain("proj-docker02");
    const again = ["**::proj-docker02-vm"];
    const replaced = await up("plucky", both, { replace: again, target: again });
    expect(replaced).toContain("delete-replaced proj-docker02-vm");
  });
});
