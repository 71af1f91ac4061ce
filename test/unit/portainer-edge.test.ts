/** An agent that reaches Portainer: its environment over real HTTPS on loopback, against the lab's stand-in. */
import { request, type Server } from "node:https";
import { connect } from "../../clients/portainer";
import type { Access } from "../../clients/portainer-call";
import { ensure, type Wanted } from "../../commands/portainer/environment";
import { runOperation } from "../../commands/portainer/main";
import type { Agents } from "../../lab/services/portainer/environments";
import { createPortainer } from "../../lab/services/portainer/server";
import type { Environment, Store } from "../../lab/services/portainer/store";
import { answering, close, listen, selfSigned } from "../support/portainer";

const identity = selfSigned();
const KEY = "ptr_0123456789abcdef";
const PORTAINER = "https://10.25.10.11:9443";
const EDGE: Wanted = { name: "proj-docker02", url: PORTAINER, edge: {}, docker: "29.1" };
const AGENT: Wanted = { name: "proj-docker02", url: "tcp://10.25.20.24:9001", docker: "29.1" };

let server: Server;
let store: Store;
let access: Access;
let agent: Awaited<ReturnType<Agents["check"]>>;
const open: Server[] = [];

beforeEach(async () => {
  agent = undefined;
  const agents: Agents = {
    check: () => Promise.resolve(agent),
    docker: () => Promise.resolve("[]"),
  };
  const settings = { ...identity, apiKey: KEY, version: "2.39.1", agents };
  ({ server, store } = createPortainer(settings));
  open.push(server);
  access = { url: await listen(server), apiKey: KEY, fingerprint: identity.fingerprint };
});
afterEach(() => {
  open.splice(0).forEach(close);
});

const apply = (wanted: Wanted, id?: number) => ensure(connect(access), wanted, id);
const keyParts = ({ EdgeKey = "" }: Partial<Environment>): string[] =>
  Buffer.from(EdgeKey, "base64").toString().split("|");
const shown = (): unknown[] => store.environments.map(({ Name, Type }) => [Name, Type]);

/** Asks as an agent does; the status, and the answer. */
function askAs(edgeId: string, id: number): Promise<{ status?: number; body: string }> {
  const headers = { "X-PortainerAgent-EdgeID": edgeId, "Portainer-Agent-Platform": "1" };
  const options = { headers, ca: identity.cert };
  return new Promise((resolve, reject) => {
    const asked = request(`${access.url}/api/endpoints/${id}/edge/status`, options, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (part: string) => (body += part));
      answer.on("end", () => {
        resolve({ status: answer.statusCode, body });
      });
    });
    asked.on("error", reject).end();
  });
}

describe("an environment", () => {
  test("is made without asking an agent, and its key leads to Portainer", async () => {
    agent = "no answer";
    const { Id, ...made } = await apply({ ...EDGE, tags: ["docker"], edge: { checkinSeconds: 9 } });
    expect(made).toMatchObject({ Type: 4, URL: "10.25.10.11", EdgeCheckinInterval: 9, EdgeID: "" });
    expect(keyParts(made)).toEqual([PORTAINER, "10.25.10.11:8000", "00:no:tunnel", String(Id)]);
    expect((await apply({ ...EDGE, edge: { checkinSeconds: 7 } }, Id)).EdgeKey).toBe(made.EdgeKey);
    expect(store.environments).toMatchObject([{ Id, EdgeCheckinInterval: 7 }]);
  });

  test("of each node has the same URL, and is one of its own", async () => {
    const first = await apply(EDGE);
    const second = await apply({ ...EDGE, name: "proj-docker03" });
    expect(second.Id).not.toBe(first.Id);
    expect((await apply(EDGE)).Id).toBe(first.Id);
    expect(store.environments).toHaveLength(2);
  });

  test("is replaced when its agent is to reach another URL; group and tags stay", async () => {
    const { Id } = await apply({ ...EDGE, group: "one", tags: ["a"] });
    const [before] = store.environments;
    const url = "https://portainer.example.org";
    const made = await apply({ ...EDGE, url }, Id);
    expect(keyParts(made).slice(0, 2)).toEqual([url, "portainer.example.org:8000"]);
    expect(store.environments).toMatchObject([
      { Name: EDGE.name, GroupId: before?.GroupId, TagIds: before?.TagIds },
    ]);
    expect(made.Id).not.toBe(Id);
  });

  test("that somebody else made with another URL is not touched", async () => {
    await apply(EDGE);
    const before = JSON.stringify(store);
    await expect(apply({ ...EDGE, url: "https://other.example.org" })).rejects.toThrow(
      /tells its agent to reach Portainer at https:\/\/10\.25\.10\.11:9443 instead of/,
    );
    expect(JSON.stringify(store)).toBe(before);
  });

  test("localhost is refused by Portainer, and leaves nothing", async () => {
    const local = { ...EDGE, url: "https://localhost:9443", tags: ["docker"] };
    await expect(apply(local)).rejects.toThrow("cannot use localhost as environment URL");
    expect([store.environments, store.tags]).toEqual([[], []]);
  });
});

describe("the other way round", () => {
  test("there and back: one environment of the name, of the other kind", async () => {
    const first = await apply({ ...AGENT, group: "docker" });
    const second = await apply(EDGE, first.Id);
    expect([first.Id === second.Id, shown()]).toEqual([false, [["proj-docker02", 4]]]);
    const group = store.groups.find(({ Name }) => Name === "docker")?.Id;
    expect(store.environments).toMatchObject([{ GroupId: group }]);
    await apply(AGENT, second.Id);
    expect(shown()).toEqual([["proj-docker02", 2]]);
  });

  test("an agent that does not answer: the earlier environment is as it was", async () => {
    const { Id } = await apply(EDGE);
    const before = JSON.stringify(store.environments);
    agent = "no answer";
    await expect(apply({ ...AGENT, tags: ["new"] }, Id)).rejects.toThrow("no answer");
    expect(JSON.stringify(store.environments)).toBe(before);
    expect(store.tags).toEqual([]);
  });

  test("an earlier one that cannot be removed: it is as it was, and the other one gone", async () => {
    const { Id } = await apply(AGENT);
    const removeIt = store.removeEnvironment.bind(store);
    store.removeEnvironment = (id) => {
      if (id === Id) throw new Error("the database is locked");
      removeIt(id);
    };
    await expect(apply(EDGE, Id)).rejects.toThrow("the database is locked");
    expect(shown()).toEqual([["proj-docker02", 2]]);
  });

  test("one that was not made here is refused, and not replaced", async () => {
    await apply({ ...AGENT, name: "by-hand" });
    await expect(apply({ ...EDGE, name: "by-hand" })).rejects.toThrow(/is called by-hand too/);
    const { Id } = await apply(EDGE);
    Object.assign(store.findEnvironment(Id), { URL: AGENT.url });
    store.removeEnvironment(Id - 1);
    await expect(apply({ ...AGENT, name: "other" })).rejects.toThrow(/of type 4 instead of 2/);
  });
});

describe("an agent", () => {
  test("is the first one to ask; another name gets nothing", async () => {
    const { Id } = await apply({ ...EDGE, edge: { checkinSeconds: 9 } });
    const { status, body } = await askAs("one", Id);
    expect([status, JSON.parse(body)]).toMatchObject([200, { status: "IDLE", checkin: 9 }]);
    expect((await askAs("two", Id)).status).toBe(403);
    expect((await askAs("one", 99)).status).toBe(403);
    expect(store.environments).toMatchObject([{ EdgeID: "one" }]);
  });

  test("is seen to ask, until it does no longer", async () => {
    const { Id } = await apply(EDGE);
    const asks = async (): Promise<boolean> =>
      (await connect(access).environment({ name: EDGE.name })).Heartbeat;
    expect(await asks()).toBe(false);
    await askAs("one", Id);
    expect(await asks()).toBe(true);
    store.findEnvironment(Id).LastCheckInDate = Math.floor(Date.now() / 1000) - 60;
    expect(await asks()).toBe(false);
    await expect(connect(access).environment({ name: "other" })).rejects.toThrow(
      "no environment called other",
    );
  });

  test("that has never asked shows no containers, and the reason", async () => {
    await apply(EDGE);
    const seen = () => connect(access).containers({ name: EDGE.name });
    await expect(seen()).rejects.toThrow("No Edge agent registered with the environment");
  });
});

describe("the program that Pulumi runs", () => {
  const operate = async (wanted: Wanted, before?: string) => {
    const variables = {
      ...{ PORTAINER_URL: access.url, PORTAINER_API_KEY: KEY },
      PORTAINER_FINGERPRINT: identity.fingerprint,
      PORTAINER_ENVIRONMENT: JSON.stringify(wanted),
      PULUMI_COMMAND_STDOUT: before,
    };
    const { stdout = "", stderr } = await runOperation("apply", variables);
    return { stdout, stderr, printed: JSON.parse(stdout || "{}") as Printed };
  };
  interface Printed {
    id: number;
    edge?: { id: string; key: string };
  }

  test("prints key and name, and the same ones the next time", async () => {
    const first = await operate(EDGE);
    expect(first.printed.edge?.key).toBe(store.environments[0]?.EdgeKey);
    expect(first.printed.edge?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect((await operate({ ...EDGE, tags: ["a"] }, first.stdout)).printed).toEqual(first.printed);
  });

  test("takes over the name by which Portainer knows the agent", async () => {
    const { Id } = await apply(EDGE);
    await askAs("by-hand", Id);
    expect((await operate(EDGE)).printed.edge?.id).toBe("by-hand");
  });

  test("gives a new environment a new name", async () => {
    const first = await operate(EDGE);
    store.environments = [];
    const again = await operate(EDGE, first.stdout);
    expect(again.printed.id).not.toBe(first.printed.id);
    expect(again.printed.edge?.id).not.toBe(first.printed.edge?.id);
  });

  test("removes it by what it printed", async () => {
    const { stdout } = await operate(EDGE);
    const variables = { PORTAINER_URL: access.url, PORTAINER_API_KEY: KEY };
    const trust = { PORTAINER_FINGERPRINT: identity.fingerprint, PULUMI_COMMAND_STDOUT: stdout };
    expect((await runOperation("remove", { ...variables, ...trust })).code).toBe(0);
    expect(store.environments).toEqual([]);
  });

  test("an answer without a key is told", async () => {
    const one = answering(identity, (asked, answer) => {
      asked.resume();
      const { url = "" } = asked;
      const found = { Id: 3, Name: "n", URL: "u", Type: 4, Version: "2.39.1" };
      answer.end(JSON.stringify(url.includes("?") ? [] : found));
    });
    open.push(one);
    access = { ...access, url: await listen(one) };
    expect((await operate(EDGE)).stderr).toBe("Portainer gives no EdgeKey for the environment");
  });
});
