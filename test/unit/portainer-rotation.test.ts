/** AGENT_SECRET is changed on both ends, in the documented order: the node is reachable before and after each step. */
import type { Server } from "node:https";
import { connect } from "../../clients/portainer";
import type { Access } from "../../clients/portainer-call";
import { ensure, remove, type Wanted } from "../../commands/portainer/environment";
import type { Agents } from "../../lab/services/portainer/environments";
import { createPortainer } from "../../lab/services/portainer/server";
import type { Store } from "../../lab/services/portainer/store";
import { close, listen, selfSigned } from "../support/portainer";

const identity = selfSigned();
const KEY = "ptr_0123456789abcdef";
const [OLD, NEW] = ["the-old-agent-secret", "the-new-agent-secret"];
const MAIN: Wanted = { name: "node", url: "tcp://10.25.20.24:9001", docker: "29.1" };
const NEXT: Wanted = { ...MAIN, name: "node (next)", url: "tcp://10.25.20.24:9002" };
const THROUGH: Wanted = { ...NEXT, through: MAIN.url };

let server: Server;
let store: Store;
let access: Access;
/** Portainer's own, and each running agent's by its URL. */
let secret: string;
let running: Record<string, string>;

beforeEach(async () => {
  [secret, running] = [OLD, { [MAIN.url]: OLD }];
  const check: Agents["check"] = (url) => {
    const has = running[url];
    if (has === undefined) return Promise.resolve("no answer");
    return Promise.resolve(has === secret ? undefined : "wrong secret");
  };
  const docker: Agents["docker"] = async (url) => {
    const failed = await check(url);
    if (failed) throw new Error(failed);
    return JSON.stringify([{ Id: "abc" }]);
  };
  const settings = { ...identity, apiKey: KEY, version: "2.39.1", agents: { check, docker } };
  ({ server, store } = createPortainer(settings));
  access = { url: await listen(server), apiKey: KEY, fingerprint: identity.fingerprint };
});
afterEach(() => {
  close(server);
});

const apply = (wanted: Wanted, id?: number) => ensure(connect(access), wanted, id);

/** Environments by which Portainer shows the node's containers. */
async function reachable(): Promise<string[]> {
  const seen = store.environments.map(async ({ Name, URL: url }) => {
    const found = await connect(access)
      .containers({ url })
      .catch(() => []);
    return found.length > 0 ? [Name] : [];
  });
  return (await Promise.all(seen)).flat();
}

test("the documented order leaves the node reachable all the time", async () => {
  const { Id: main } = await apply(MAIN);
  expect(await reachable()).toEqual(["node"]);
  // The first `up`: a second agent, and an environment that does not work yet.
  running[NEXT.url] = NEW;
  const { Id: next } = await apply(THROUGH);
  expect([await reachable(), store.environments.length]).toEqual([["node"], 2]);
  expect((await apply(THROUGH, next)).Id).toBe(next);
  // Portainer starts with the new secret.
  secret = NEW;
  expect(await reachable()).toEqual(["node (next)"]);
  // The second `up`: the agent is replaced.
  running = { [NEXT.url]: NEW };
  expect(await reachable()).toEqual(["node (next)"]);
  running[MAIN.url] = NEW;
  expect(await reachable()).toEqual(["node", "node (next)"]);
  // The third one: the second agent goes.
  await remove(connect(access), { id: next, url: NEXT.url });
  running = { [MAIN.url]: NEW };
  expect([await reachable(), store.environments.map(({ Id }) => Id)]).toEqual([["node"], [main]]);
});

test("without the second agent there is a gap, whatever comes first", async () => {
  await apply(MAIN);
  running[MAIN.url] = NEW;
  expect(await reachable()).toEqual([]);
  [running[MAIN.url], secret] = [OLD, NEW];
  expect(await reachable()).toEqual([]);
});

test("Portainer refuses the second agent directly, and what was made through the first one goes when it cannot be changed", async () => {
  await apply(MAIN);
  running[NEXT.url] = NEW;
  await expect(apply({ ...NEXT, tags: ["next"] })).rejects.toThrow("already paired");
  store.findEnvironment = () => {
    throw new Error("the database is locked");
  };
  const before = store.environments.length;
  const removed: number[] = [];
  store.removeEnvironment = (id) => {
    removed.push(id);
  };
  await expect(apply(THROUGH)).rejects.toThrow("the database is locked");
  expect(removed).toEqual([store.environments[before]?.Id]);
});
