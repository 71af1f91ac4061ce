import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { sshOptions } from "../../config/node";
import { dockerNode, dockerNodes, dockerProvider, pickNode } from "../../contract/consumer";
import { workload } from "../../examples/consumer/workload";
import { HOST_KEY, Recorder, settle, unwrap } from "../support/mocks";
import { OUTPUTS } from "../support/outputs";
import { TEMPLATE } from "../support/template";

/** Another stack, reading a node's outputs from a backend that holds `OUTPUTS`. */
const STACK = "organization/docker-node/prod";
const NETWORK = "astronomy-compute-secondary";
const IMAGE = `registry.example.org/library/busybox:1.37.0@sha256:${"0".repeat(64)}`;
let folder: string;
let key: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-consumer-"));
  key = join(folder, "key");
  writeFileSync(key, "PRIVATE KEY");
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

class Backend extends Recorder {
  override newResource(args: pulumi.runtime.MockResourceArgs): ReturnType<Recorder["newResource"]> {
    const made = super.newResource(args);
    const more: Record<string, Record<string, unknown>> = {
      "pulumi:pulumi:StackReference": { outputs: OUTPUTS, secretOutputNames: [] },
      "docker:index/container:Container": {
        networkDatas: [{ networkName: NETWORK, ipAddress: "172.19.1.2" }],
      },
    };
    return { ...made, state: { ...made.state, ...more[args.type] } };
  }
}

async function start(config: Record<string, string> = {}): Promise<Backend> {
  const backend = new Backend();
  await pulumi.runtime.setMocks(backend, "docker-node-consumer", "test");
  const settings = { platform: STACK, node: "proj-docker02", privateKeyFile: key, image: IMAGE };
  const entries = Object.entries({ ...settings, ...config });
  pulumi.runtime.setAllConfig(
    Object.fromEntries(entries.map(([name, value]) => [`docker-node-consumer:${name}`, value])),
  );
  return backend;
}

describe("a stack's nodes", () => {
  test("are read by name, or all of them", async () => {
    await start();
    const reference = new pulumi.StackReference(STACK);
    expect(await unwrap(dockerNodes(reference))).toEqual(OUTPUTS.nodes);
    expect(await unwrap(dockerNode(reference, "proj-docker02"))).toEqual(
      OUTPUTS.nodes["proj-docker02"],
    );
  });

  test.each(["proj-docker01", "constructor"])("have no %s, and say which there are", (name) => {
    expect(() => pickNode(STACK, OUTPUTS.nodes, name)).toThrow(
      `${STACK}: no node "${name}"; allowed: proj-docker02`,
    );
  });
});

describe("a Docker provider", () => {
  test("goes where the outputs say, with the host key pinned as the node's own provider does", async () => {
    const backend = await start();
    const node = dockerNode(new pulumi.StackReference(STACK), "proj-docker02");
    dockerProvider("node", node, { privateKeyFile: key });
    await settle(backend);
    const { inputs } = backend.find("pulumi:providers:docker");
    expect(inputs.host).toBe("ssh://ubuntu@127.0.0.1:2222");
    expect(JSON.parse(String(inputs.sshOpts))).toEqual(
      sshOptions({ ssh: { privateKeyFile: key } }, HOST_KEY),
    );
  });

  test("is not made with a private key that is not there", () => {
    expect(() =>
      dockerProvider("node", OUTPUTS.nodes["proj-docker02"] as never, {
        privateKeyFile: "~/nowhere",
      }),
    ).toThrow('privateKeyFile: "~/nowhere"; allowed: a readable file with the private key');
  });
});

describe("the example", () => {
  test("is a project of its own, and compiles with what `pulumi new typescript` writes", () => {
    const root = join(__dirname, "../..");
    const file = join(root, "examples/consumer/tsconfig.json");
    const { extends: base, compilerOptions } = JSON.parse(readFileSync(file, "utf8")) as {
      extends?: string;
      compilerOptions: object;
    };
    expect(base).toBeUndefined();
    // One option more: a network that a node does not have is undefined.
    const strict = { noUncheckedIndexedAccess: true };
    expect(compilerOptions).toEqual({ ...TEMPLATE, target: "es2020", ...strict });
    const args = ["--project", file, "--noEmit", "--pretty", "false"];
    execFileSync(join(root, "node_modules/.bin/tsc"), args, { encoding: "utf8" });
  });

  test("runs a pinned image with a health check on the node's network, and tells its address", async () => {
    const backend = await start();
    const { url } = workload();
    await settle(backend);
    expect(backend.find("docker:index/remoteImage:RemoteImage").inputs.name).toBe(IMAGE);
    const { inputs, provider } = backend.find("docker:index/container:Container");
    expect(provider).toContain("pulumi:providers:docker::node::");
    expect(inputs).toMatchObject({
      image: `sha256:id-of-${IMAGE}`,
      networksAdvanced: [{ name: "id-of-the-network" }],
      healthcheck: { tests: expect.arrayContaining(["http://127.0.0.1:8080/"]) as unknown },
      wait: true,
    });
    expect(await unwrap(url)).toBe("http://172.19.1.2:8080/");
  });

  test("writes out what Docker would fill in, so that an unchanged up stays one", async () => {
    const backend = await start();
    workload();
    await settle(backend);
    const { inputs } = backend.find("docker:index/container:Container");
    for (const name of ["networkMode", "logDriver", "logOpts", "memorySwap", "restart", "command"])
      expect(inputs).toHaveProperty(name);
    const { interval, timeout, startPeriod, startInterval } = inputs.healthcheck as Record<
      string,
      string
    >;
    for (const duration of [interval, timeout, startPeriod, startInterval])
      expect(duration).toMatch(/^[1-5]?\ds$/);
  });

  test.each(["busybox", "busybox:1.37.0", `busybox@sha256:${"0".repeat(64)}`])(
    "refuses the image %s, which may be another tomorrow or says no version",
    async (image) => {
      await start({ image });
      expect(workload).toThrow(/docker-node-consumer:image/);
    },
  );
});
