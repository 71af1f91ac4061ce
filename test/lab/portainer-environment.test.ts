/** A node's environment in Portainer under the real Pulumi, without a VM: against the stand-in of Portainer's API. */
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import type { Server } from "node:https";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { registerEnvironment } from "../../components";
import { ROOT } from "../../lab/lib/instance";
import { createPortainer, type Settings } from "../../lab/services/portainer/server";
import type { Store } from "../../lab/services/portainer/store";
import { canariesIn } from "../support/canaries";
import { close, listen, selfSigned } from "../support/portainer";
import { prodNode } from "../support/settings";
import { BarePulumi } from "./bare-pulumi";
import { Steps, quiet, upSteps } from "./support";

jest.setTimeout(5 * 60_000);

const NODE = "proj-docker02";
const bare = new BarePulumi();
const identity = selfSigned();
const { cert: caCertificate } = identity;
let server: Server;
let store: Store;
let url: string;
/** What it takes; a test may change it. */
let apiKey = "ptr_the-first-access-token";

beforeAll(async () => {
  // The command finds the program by the package's name.
  mkdirSync(join(bare.folder, "node_modules"));
  symlinkSync(ROOT, join(bare.folder, "node_modules/docker-node"));
  const settings: Settings = {
    ...{ ...identity, version: "2.39.1" },
    agents: { check: () => Promise.resolve(undefined), docker: () => Promise.resolve("[]") },
    get apiKey() {
      return apiKey;
    },
  };
  ({ server, store } = createPortainer(settings));
  url = await listen(server);
});
afterAll(() => {
  close(server);
});

/** The node's environment, and something in the place of the agent's container. */
async function up(portainer: object, key = apiKey): Promise<Steps> {
  const node = prodNode({ portainer: { environment: { url, caCertificate }, ...portainer } });
  const stack = await bare.open("environment", async () => {
    const agent = new pulumi.Stash("agent", { input: "an agent" });
    const args = { node, portainerApiKey: pulumi.secret(key), agent };
    const { outputs, edge } = registerEnvironment(NODE, args, {}) ?? {};
    if (edge) new pulumi.Stash("edge-agent", { input: [edge.id, edge.key] });
    return Promise.resolve({ id: outputs?.id });
  });
  const steps = new Steps();
  const { outputs } = await stack.up({ ...quiet, onEvent: steps.onEvent });
  expect(outputs.id).toEqual({ value: store.environments[0]?.Id, secret: false });
  return steps;
}

/** The stack without the environment. */
async function upWithout(): Promise<Steps> {
  const stack = await bare.open("environment", () => {
    new pulumi.Stash("agent", { input: "an agent" });
    return Promise.resolve({});
  });
  return upSteps(stack);
}

/** All files of the state. */
function stateText(): string {
  const files = readdirSync(join(bare.folder, "state"), { recursive: true, withFileTypes: true });
  return files
    .filter((one) => one.isFile())
    .map((one) => readFileSync(join(one.parentPath, one.name), "utf8"))
    .join("\n");
}

test("is made, and another access token is one update", async () => {
  expect((await up({})).with("create")).toContain(`${NODE}-environment`);
  apiKey = "ptr_the-second-access-token";
  expect((await up({})).diffs).toHaveLength(1);
});

/** Runs something while Portainer is down. */
async function whileDown(run: () => Promise<unknown>): Promise<void> {
  const port = Number(new URL(url).port);
  await new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  });
  await run();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
}

test("Portainer that is down: the reason, nothing half-done, and the next up goes on", async () => {
  const before = JSON.stringify(store.environments);
  const environment = { url, caCertificate, tags: ["new"] };
  await whileDown(() =>
    expect(up({ environment })).rejects.toThrow(/cannot be reached[^]*ECONNREFUSED/),
  );
  expect([JSON.stringify(store.environments), store.tags]).toEqual([before, []]);
  expect((await up({ environment })).diffs).toHaveLength(1);
  expect(store.tags).toMatchObject([{ Name: "new" }]);
});

test("becomes one of an agent that reaches Portainer, and back, each in one up", async () => {
  const edge = { url: "https://10.25.10.11:9443" };
  const there = await up({ edge });
  expect(there.with("update")).toEqual([`${NODE}-environment`]);
  expect(there.with("create")).toEqual(["edge-agent"]);
  const [{ Id, Type, EdgeKey = "" } = {}] = store.environments;
  expect([Type, EdgeKey]).toEqual([4, expect.stringMatching(/./)]);
  expect((await up({ edge })).diffs).toEqual([]);
  const state = stateText();
  expect(state).toContain(`${NODE}-environment`);
  const named = [EdgeKey, apiKey].map((text) => ({ name: text, text }));
  expect(canariesIn(state, named)).toEqual([]);
  const back = await up({});
  expect(back.with("update")).toEqual([`${NODE}-environment`]);
  expect(back.with("delete")).toEqual(["edge-agent"]);
  expect(store.environments).toMatchObject([{ Name: NODE, Type: 2 }]);
  expect(store.environments[0]?.Id).not.toBe(Id);
});

test("one that is to stay in Portainer does, and nobody asks a Portainer that is gone", async () => {
  const before = structuredClone(store.environments);
  const environment = { url, caCertificate, retainOnDelete: true };
  await whileDown(async () => {
    expect((await up({ environment })).diffs).toEqual([]);
    expect((await upWithout()).with("delete")).toContain(`${NODE}-environment`);
  });
  expect(store.environments).toEqual(before);
  await up({});
  expect(store.environments).toEqual(before);
  await upWithout();
  expect(store.environments).toEqual([]);
});
