import type { Server } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { connect } from "../../clients/portainer";
import { forwardTo, type ForwardsByVm } from "../../lab/lib/forwards";
import { reachAgents } from "../../lab/services/portainer/agents";
import { createPortainer } from "../../lab/services/portainer/server";
import type { Refusal } from "../../lab/services/portainer/store";
import { answering, close, listen, selfSigned } from "../support/portainer";

/** How the lab's stand-in of Portainer reaches agents: over TLS, through a port of the workstation. */

const identity = selfSigned();
const secrets = { agentSecret: "" };
const URL_OF_NODE = "tcp://10.25.20.24:9001";
const PATIENCE = 2000;
const ALL = "/containers/json?all=true";

const open: Server[] = [];
/** The port that leads to the agent, and what the agent was asked, each on a connection of its own. */
let port: number;
let asked: (string | undefined)[];
const sockets = new Set<unknown>();

/** An agent that says of a container that it stands still. */
beforeEach(async () => {
  [asked, secrets.agentSecret] = [[], "shared"];
  sockets.clear();
  const agent = answering(identity, ({ url, headers, socket }, answer) => {
    asked.push(url);
    sockets.add(socket);
    if (headers["x-lab-secret"] !== "shared") answer.writeHead(403).end("wrong");
    else if (!url?.startsWith("/containers/json")) answer.writeHead(404).end();
    else answer.end(JSON.stringify(url.includes("all=") ? [{ Id: "a" }, { Id: "b" }] : []));
  });
  open.push(agent);
  port = Number(new URL(await listen(agent)).port);
});
afterEach(() => {
  open.splice(0).forEach(close);
});

const locate = (url: string): number => {
  if (url === URL_OF_NODE) return port;
  throw new Error(`no port leads to ${url}`);
};
const agents = reachAgents(locate, secrets, PATIENCE);

test("an agent is asked what Portainer was asked, with its query", async () => {
  const settings = { ...identity, apiKey: "ptr_key", version: "2.39.1", agents };
  const { server, store } = createPortainer(settings);
  open.push(server);
  const TLSConfig = { TLS: true, TLSSkipVerify: true };
  const environment = { Name: "n", URL: URL_OF_NODE, Type: 2, GroupId: 1, TagIds: [], TLSConfig };
  store.add(environment);
  const access = { url: await listen(server), apiKey: "ptr_key", caCertificate: identity.cert };
  expect(await connect(access).containers({ url: URL_OF_NODE })).toEqual(["a", "b"]);
  expect(asked).toEqual([ALL]);
  secrets.agentSecret = "another";
  await expect(connect(access).containers({ url: URL_OF_NODE })).rejects.toThrow(
    "Portainer answers 502: Bad Gateway: the agent answers 403: wrong",
  );
});

test("a question does not use what is open already", async () => {
  await agents.docker(URL_OF_NODE, ALL);
  await agents.docker(URL_OF_NODE, ALL);
  expect(sockets.size).toBe(2);
});

test("a new environment is for an agent that knows the secret", async () => {
  expect(await agents.check(URL_OF_NODE)).toBeUndefined();
  secrets.agentSecret = "another";
  expect(await agents.check(URL_OF_NODE)).toBe("wrong secret");
});

describe("nobody answers", () => {
  const failure = (url = URL_OF_NODE): Promise<unknown> =>
    agents.docker(url, ALL).catch((error: unknown) => {
      const { status, details } = error as Refusal;
      return [status, details];
    });

  test("at a port that is closed", async () => {
    open.splice(0).forEach(close);
    expect(await agents.check(URL_OF_NODE)).toBe("no answer");
    expect(await failure()).toEqual([502, expect.stringContaining("ECONNREFUSED")]);
  });

  test("where no port leads", async () => {
    const away = "tcp://10.25.20.99:9001";
    expect(await agents.check(away)).toBe("no answer");
    expect(await failure(away)).toEqual([502, `no port leads to ${away}`]);
  });

  test("behind a firewall that drops what is sent", async () => {
    const silent = createServer((socket) => {
      socket.on("error", () => socket.destroy()).resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    port = (silent.address() as AddressInfo).port;
    const began = Date.now();
    expect(await agents.check(URL_OF_NODE)).toBe("no answer");
    expect(Date.now() - began).toBeGreaterThan(PATIENCE - 50);
    await new Promise((resolve) => silent.close(resolve));
  });
});

test("a port of a node is reached through the one that is forwarded to it", () => {
  const ports = { ssh: 1, agent: 2, nextAgent: 3, node: 4, containers: 5, docker: 6 };
  const forwards: ForwardsByVm = { "2019": ports, "2014": { ...ports, agent: 12 } };
  const found = [9001, 9002, 22, 80].map((guest) => forwardTo(forwards, 2019, guest));
  expect(found).toEqual([2, 3, 1, undefined]);
  expect([forwardTo(forwards, 2014, 9001), forwardTo(forwards, 1, 9001)]).toEqual([12, undefined]);
});
