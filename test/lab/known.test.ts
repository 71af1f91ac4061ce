/** What the program learns of its own stack, under the real Pulumi and its command plugin: a server on loopback stands for the node. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation";
import { Server } from "ssh2";
import { learnNodes, type Known } from "../../clients/pulumi/known";
import { tellRefusals } from "../../clients/pulumi/refusals";
import { replaceMark } from "../../clients/pulumi/running";
import { DockerHost } from "../../components/docker/docker-host";
import type { Settings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { keyPair, privateKey as keyFile } from "../support/key";
import { prodNode } from "../support/settings";
import { BarePulumi } from "./bare-pulumi";
import { upSteps } from "./support";

jest.setTimeout(10 * 60_000);

const NODE = "proj-docker02";
const bare = new BarePulumi();
const file = keyFile();
const servers: Server[] = [];
/** What a look at the node finds. */
let differences: object = {};
/** The step that fails on the node. */
let failing = "";
/** The servers that were given a script, by host key. */
const answered: string[] = [];

afterAll(() => {
  for (const server of servers) server.close();
});

/** Lets everybody in, and answers every script with its host key, that of Docker with facts, and a look with what differs. */
function listen({ text, publicKey }: ReturnType<typeof keyPair>): Promise<number> {
  const answer = (stdin: string): string => {
    if (stdin.startsWith("MODE=check")) return JSON.stringify(differences);
    return stdin.includes("DAEMON_JSON=") ? "{}" : publicKey;
  };
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
          const fails = failing !== "" && stdin.includes(`\nSCRIPT=${failing}\n`);
          if (fails && !stdin.startsWith("MODE=check")) {
            channel.exit(1);
            channel.end();
            return;
          }
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

/** The state of a machine, though there is no Proxmox here. */
class Machine extends pulumi.ComponentResource {
  constructor({ vmId, proxmoxNode }: NodeConfig["machine"]) {
    super("proxmoxve:index/vmLegacy:VmLegacy", `${NODE}-vm`);
    this.registerOutputs({ vmId, nodeName: proxmoxNode });
  }
}

/** Docker on a node at a port, as the program makes it; what is known of it is handed on. */
function host(
  port: number,
  { user = "ubuntu", key = "one" } = {},
  seen: (known?: Known) => void = () => undefined,
): Promise<Stack> {
  const { privateKeyFile } = file.ssh;
  const node = prodNode({ ssh: { user, privateKeyFile, endpoint: { host: "127.0.0.1", port } } });
  return bare.open("known", async () => {
    const { [NODE]: known } = await learnNodes({ nodes: { [NODE]: node } } as unknown as Settings);
    seen(known);
    const privateKey = pulumi.secret(keyPair(key).text);
    const args = { node, privateKey, machine: new Machine(node.machine), ...known };
    const { facts } = new DockerHost(NODE, args);
    const version = facts.apply(({ serverVersion }) => serverVersion);
    tellRefusals(NODE, node, known?.recorded, version);
    return replaceMark({ facts });
  });
}

const learned = keyPair("host");
let port: number;

beforeAll(async () => {
  port = await listen(learned);
});

test("a host whose first up has failed is known, and a firewall that was taken back is loaded again", async () => {
  const stack = await host(port);
  failing = "daemon";
  await expect(stack.up()).rejects.toThrow(/docker02-daemon/);
  expect(await stack.outputs()).toMatchObject({ incomplete: { value: true } });
  failing = "firewall-confirm";
  let known: Known | undefined;
  const second = await host(port, {}, (found) => (known = found));
  await expect(second.up()).rejects.toThrow(/docker02-firewall-confirm/);
  expect(known?.recorded.hostKey).toBe(learned.publicKey);
  failing = "";
  const third = await upSteps(await host(port));
  expect(third.with("update")).toEqual([`${NODE}-firewall`]);
  expect(third.with("create")).toEqual([`${NODE}-firewall-confirm`]);
  expect(Object.keys(await stack.outputs())).toEqual(["facts"]);
});

test("a host that was brought up is known to the letter, and nothing is left to do", async () => {
  await upSteps(await host(port));
  let known: Known | undefined;
  const again = await host(port, {}, (found) => (known = found));
  expect((await upSteps(again)).diffs).toEqual([]);
  await again.preview({ expectNoChanges: true });
  expect(known?.recorded).toMatchObject({
    hostKey: learned.publicKey,
    connection: { host: "127.0.0.1", port, user: "ubuntu", privateKey: keyPair("one").text },
    stdin: { daemon: expect.stringContaining("DAEMON_JSON=") as unknown },
  });
});

test("what differs on the node is a warning, and its step alone runs again, once", async () => {
  differences = {
    ...{ step: "daemon", file: "/etc/docker/daemon.json", key: "log-opts.max-file" },
    ...{ found: '"9"', declared: '"3"' },
  };
  const changed = await host(port);
  const steps = await upSteps(changed);
  expect(steps.warnings.join("")).toContain(
    `${NODE}: /etc/docker/daemon.json log-opts.max-file: "9"`,
  );
  expect(steps.with("update")).toEqual([`${NODE}-daemon`]);
  differences = {};
  await changed.preview({ expectNoChanges: true });
});

test("another user and key connect by the host key learned before", async () => {
  const changed = { user: "admin", key: "two" };
  expect((await upSteps(await host(port, changed))).with("update")).toContain(`${NODE}-ready`);
  expect((await upSteps(await host(port, changed))).diffs).toEqual([]);
});

/** An `up` against a port, ended by the reader as soon as it says why it waits. What it has said until then. */
async function upUntil(port: number, reason: string): Promise<string> {
  const stack = await host(port, { user: "admin", key: "two" });
  const given = new AbortController();
  const said: string[] = [];
  const began = Date.now();
  const onEvent = ({ diagnosticEvent }: EngineEvent): void => {
    // Once it is ended, the plugin gives up its attempt, and says so.
    if (given.signal.aborted) return;
    said.push(diagnosticEvent?.message ?? "");
    if (said.at(-1)?.includes(reason)) given.abort();
  };
  await expect(stack.up({ onEvent, signal: given.signal })).rejects.toThrow();
  expect(Date.now() - began).toBeLessThan(90_000);
  return said.join("");
}

test("a server that accepts connections and stays silent is told within a minute, and the plugin waits on", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port: nobody } = silent.address() as AddressInfo;
  const said = await upUntil(nobody, "is not reached yet");
  expect(said).toMatch(/proj-docker02: is not reached yet: 127\.0\.0\.1: no answer within 15 s/);
  expect(said).not.toContain("failed: retrying");
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test("a machine with another host key is refused, with the reason within a minute", async () => {
  const foreign = keyPair("other host");
  expect(await upUntil(await listen(foreign), "refuses the connection")).toMatch(
    /proj-docker02: refuses the connection: the machine at 127\.0\.0\.1 has another host key than the one learned/,
  );
  expect(answered).toContain(learned.publicKey);
  expect(answered).not.toContain(foreign.publicKey);
});
