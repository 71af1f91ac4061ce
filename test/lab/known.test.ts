/** What the program learns of its own stack, under the real Pulumi and its command plugin: a server on loopback stands for the node. */
import * as pulumi from "@pulumi/pulumi";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation";
import { Server } from "ssh2";
import { ownState } from "../../clients/pulumi/running";
import { DockerHost } from "../../components/docker/docker-host";
import type { NodeConfig } from "../../config/schema";
import { recordedNode, type RecordedNode, type State } from "../../node/recorded";
import { keyPair } from "../support/key";
import { prodNode } from "../support/settings";
import { BarePulumi } from "./bare-pulumi";
import { Steps } from "./support";

jest.setTimeout(5 * 60_000);

const NODE = "proj-docker02";
const bare = new BarePulumi();
const servers: Server[] = [];
/** The servers that were given a script, by host key. */
const answered: string[] = [];

afterAll(() => {
  for (const server of servers) server.close();
});

/** Lets everybody in, and answers every script with its host key, that of Docker with facts. */
function listen({ text, publicKey }: ReturnType<typeof keyPair>): Promise<number> {
  const answer = (stdin: string): string => (stdin.includes("DAEMON_JSON=") ? "{}" : publicKey);
  const server = new Server({ hostKeys: [text] }, (client) => {
    client.on("authentication", (attempt) => {
      attempt.accept();
    });
    client.on("error", () => undefined);
    client.on("session", (accept) => {
      accept().on("exec", (start) => {
        const channel = start();
        let stdin = "";
        channel.on("data", (data: Buffer) => (stdin += data.toString()));
        channel.on("end", () => {
          answered.push(publicKey);
          channel.write(`${answer(stdin)}\n`);
          channel.exit(0);
          channel.end();
        });
      });
    });
  });
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}

/** The state with the machine the program would have made: there is no Proxmox here. */
function withMachine({ machine }: NodeConfig, state: State): State {
  const disks = [
    { interface: "scsi0", datastoreId: machine.disk.datastore },
    { interface: "scsi1", datastoreId: machine.dockerDisk?.datastore },
  ];
  const outputs = { vmId: machine.vmId, nodeName: machine.proxmoxNode, disks };
  const type = "proxmoxve:index/vmLegacy:VmLegacy";
  return { ...state, [`urn:pulumi:s::p::${type}::${NODE}-vm`]: { type, outputs } };
}

/** Docker on a node at a port, with what the state has of it; what is recorded is handed on. */
function host(
  port: number,
  { user = "ubuntu", key = "one" } = {},
  seen: (recorded?: RecordedNode) => void = () => undefined,
): Promise<Stack> {
  const endpoint = { host: "127.0.0.1", port };
  const node = prodNode({ ssh: { user, endpoint } });
  return bare.open("known", async () => {
    const recorded = recordedNode(NODE, node, withMachine(node, await ownState()));
    seen(recorded);
    const machine = new pulumi.Stash("machine", { input: "machine" });
    const privateKey = pulumi.secret(keyPair(key).text);
    const { facts } = new DockerHost(NODE, { node, privateKey, machine, recorded });
    return { facts };
  });
}

async function up(stack: Stack): Promise<Steps> {
  const steps = new Steps();
  await stack.up({ onEvent: steps.onEvent });
  return steps;
}

const learned = keyPair("host");
let port: number;

beforeAll(async () => {
  port = await listen(learned);
});

test("a host that was brought up is known to the letter, and nothing is left to do", async () => {
  await up(await host(port));
  let recorded: RecordedNode | undefined;
  const again = await host(port, {}, (found) => (recorded = found));
  expect((await up(again)).diffs).toEqual([]);
  await again.preview({ expectNoChanges: true });
  expect(recorded).toMatchObject({
    hostKey: learned.publicKey,
    connection: { host: "127.0.0.1", port, user: "ubuntu", privateKey: keyPair("one").text },
    stdin: { daemon: expect.stringContaining("DAEMON_JSON=") as unknown },
  });
});

test("another user and key connect by the host key learned before", async () => {
  const changed = { user: "admin", key: "two" };
  expect((await up(await host(port, changed))).with("update")).toContain(`${NODE}-ready`);
  expect((await up(await host(port, changed))).diffs).toEqual([]);
});

test("a machine with another host key is refused, with the reason at once", async () => {
  const foreign = keyPair("other host");
  const stack = await host(await listen(foreign), { user: "admin", key: "two" });
  const given = new AbortController();
  const said: string[] = [];
  const onEvent = ({ diagnosticEvent }: EngineEvent): void => {
    said.push(diagnosticEvent?.message ?? "");
    if (said.at(-1)?.includes("host key mismatch")) given.abort();
  };
  await expect(stack.up({ onEvent, signal: given.signal })).rejects.toThrow();
  expect(said.join("")).toContain("host key mismatch");
  expect(answered).toContain(learned.publicKey);
  expect(answered).not.toContain(foreign.publicKey);
});
