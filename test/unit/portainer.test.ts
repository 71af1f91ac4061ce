import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:https";
import { createServer as createTcp } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect, findMisfit } from "../../clients/portainer";
import { accessFrom, type Access } from "../../clients/portainer-call";
import { ensure, remove, type Wanted } from "../../commands/portainer/environment";
import { runOperation, type Outcome } from "../../commands/portainer/main";
import type { Agents } from "../../lab/services/portainer/environments";
import { createPortainer } from "../../lab/services/portainer/server";
import type { Environment, Store } from "../../lab/services/portainer/store";
import { answering, close, listen, selfSigned } from "../support/portainer";

/*
 * A node's environment in Portainer: over real HTTPS on loopback, against the lab's stand-in, which has the semantics of
 * the published API, and against servers that answer what no server should.
 */

const identity = selfSigned();
const other = selfSigned();
const KEY = "ptr_0123456789abcdef";
const URL_OF_NODE = "tcp://10.25.20.24:9001";
const WANTED: Wanted = { name: "proj-docker02", url: URL_OF_NODE, docker: "29.1" };

let server: Server;
let store: Store;
let access: Access;
let agent: Awaited<ReturnType<Agents["check"]>>;
const open: Server[] = [];

async function start(version = "2.39.1"): Promise<void> {
  const agents: Agents = {
    check: () => Promise.resolve(agent),
    docker: (url, path) => Promise.resolve(JSON.stringify([{ Id: `${url} ${path}` }])),
  };
  ({ server, store } = createPortainer({ ...identity, apiKey: KEY, version, agents }));
  open.push(server);
  access = { url: await listen(server), apiKey: KEY, fingerprint: identity.fingerprint };
}

beforeEach(async () => {
  agent = undefined;
  await start();
});
afterEach(() => {
  open.splice(0).forEach(close);
});

/** An environment that is there already. */
function existing(more: Partial<Environment> = {}): Environment {
  const one = {
    ...{ Id: store.nextId(), Name: "by-hand", URL: URL_OF_NODE, Type: 2, GroupId: 1, TagIds: [] },
    TLSConfig: { TLS: true, TLSSkipVerify: true },
    ...more,
  };
  store.environments.push(one);
  return one;
}

const apply = (change: Partial<Wanted> = {}, id?: number) =>
  ensure(connect(access), { ...WANTED, ...change }, id);

describe("an environment", () => {
  test("is made as an agent's, with group and tags that were missing", async () => {
    const { Id } = await apply({ group: "secondary", tags: ["docker", "prod"] });
    const [docker, prod] = store.tags;
    expect([docker?.Name, prod?.Name]).toEqual(["docker", "prod"]);
    expect(store.groups.map(({ Name }) => Name)).toEqual(["Unassigned", "secondary"]);
    expect(store.environments).toEqual([
      {
        ...{ Id, Name: "proj-docker02", URL: URL_OF_NODE, Type: 2, GroupId: store.groups[1]?.Id },
        TagIds: [docker?.ID, prod?.ID],
        TLSConfig: { TLS: true, TLSSkipVerify: true },
      },
    ]);
  });

  test("is there once, however often it is asked for", async () => {
    const first = await apply({ tags: ["docker"] });
    expect((await apply({ tags: ["docker"] })).Id).toBe(first.Id);
    expect((await apply({ tags: ["docker"] }, first.Id)).Id).toBe(first.Id);
    expect([store.environments.length, store.tags.length]).toEqual([1, 1]);
  });

  test.each([URL_OF_NODE, "10.25.20.24:9001", `${URL_OF_NODE}/`])(
    "with the same URL (%s) is taken over, its id kept, and what is not declared stays",
    async (url) => {
      const tag = store.addTag("by-hand");
      const group = store.addGroup("by-hand");
      const { Id } = existing({ URL: url, GroupId: group.Id, TagIds: [tag.ID] });
      expect((await apply()).Id).toBe(Id);
      expect(store.environments).toMatchObject([
        { Id, Name: "proj-docker02", GroupId: group.Id, TagIds: [tag.ID] },
      ]);
    },
  );

  test("changes name, URL, group and tags under its id; no tags are none", async () => {
    const { Id } = await apply({ group: "one", tags: ["a", "b"] });
    const url = "tcp://10.25.20.25:9001";
    await apply({ name: "renamed", url, group: "two", tags: [] }, Id);
    const two = store.groups.find(({ Name }) => Name === "two");
    expect(store.environments).toMatchObject([
      { Id, Name: "renamed", URL: url, GroupId: two?.Id, TagIds: [] },
    ]);
  });

  test("that somebody removed is made again", async () => {
    const { Id } = await apply();
    store.environments = [];
    const again = await apply({}, Id);
    expect(again.Id).not.toBe(Id);
  });

  test("is found among more than one page of others", async () => {
    for (let index = 0; index < 230; index++)
      existing({ Name: `other-${index}`, URL: `tcp://10.9.${index}.1:9001` });
    const { Id } = existing({ Name: "the last" });
    expect((await apply()).Id).toBe(Id);
    expect(store.environments).toHaveLength(231);
  });
});

describe("nothing is changed", () => {
  const unchanged = async (act: () => Promise<unknown>, message: RegExp): Promise<void> => {
    const before = JSON.stringify(store);
    await expect(act()).rejects.toThrow(message);
    expect(withoutSequence(JSON.stringify(store))).toBe(withoutSequence(before));
  };
  const withoutSequence = (text: string): string => text.replace(/"last":\d+/, "");

  test("where another environment has the name; both URLs are named", async () => {
    existing({ Name: "proj-docker02", URL: "tcp://10.1.1.1:9001" });
    await unchanged(
      apply,
      /proj-docker02 too, with URL tcp:\/\/10\.1\.1\.1:9001 instead of tcp:\/\/10\.25\.20\.24:9001/,
    );
  });

  test("where another environment than ours has the new URL", async () => {
    const { Id } = await apply();
    existing({ Name: "another", URL: "tcp://10.1.1.1:9001" });
    await unchanged(() => apply({ url: "tcp://10.1.1.1:9001" }, Id), /another, has URL tcp:\/\/10/);
  });

  test("where what has the URL is no Docker behind an agent", async () => {
    existing({ Type: 1 });
    await unchanged(apply, /is of type 1 instead of 2/);
  });

  test.each([
    ["no answer", /500: Unable to get environment type: no answer/],
    ["wrong secret", /already paired with another Portainer/],
  ] as const)("where the agent gives %s: group and tags go again", async (failed, message) => {
    agent = failed;
    await unchanged(() => apply({ group: "secondary", tags: ["docker"] }), message);
  });

  test("where Portainer is too old for Docker", async () => {
    await start("2.33.4");
    await unchanged(() => apply({ tags: ["docker"] }), /2\.33\.4; Docker 29\.1 needs 2\.33\.5/);
    expect((await apply({ docker: "28" })).Name).toBe("proj-docker02");
  });
});

test("nodes that are brought up side by side share one group and one tag", async () => {
  const nodes = ["a", "b", "c", "d"].map((name, index) =>
    apply({ name, url: `tcp://10.0.0.${index}:9001`, group: "shared", tags: ["shared"] }),
  );
  await Promise.all(nodes);
  expect(store.tags.map(({ Name }) => Name)).toEqual(["shared"]);
  expect(store.groups.map(({ Name }) => Name)).toEqual(["Unassigned", "shared"]);
  expect(new Set(store.environments.map(({ GroupId }) => GroupId)).size).toBe(1);
});

test.each([
  ["28.5", "2.19.0", true],
  ["29", "2.33.4", false],
  ["29", "2.33.5", true],
  ["29.1", "2.34.0", false],
  ["29.1", "2.35.9", false],
  ["29.10.0", "2.36.0", true],
  ["29", "2.36.0-rc1", true],
  ["29", "2.39.1", true],
  ["29", "develop", false],
])("Docker %s with Portainer %s: %s", (docker, version, fits) => {
  expect(findMisfit(docker, version) === undefined).toBe(fits);
});

describe("removing", () => {
  const gone = (id: number, url = URL_OF_NODE) => remove(connect(access), { id, url });

  test("takes away the one that is ours, and is done when it is gone", async () => {
    const { Id } = await apply();
    const kept = existing({ Name: "kept", URL: "tcp://10.1.1.1:9001" });
    expect(await gone(Id)).toMatch(/proj-docker02, was removed/);
    expect(store.environments).toEqual([kept]);
    expect(await gone(Id)).toMatch(/gone already/);
  });

  test("leaves one that has become somebody else's", async () => {
    const { Id } = existing({ URL: "tcp://10.1.1.1:9001" });
    expect(await gone(Id)).toMatch(/is left in Portainer: its URL is tcp:\/\/10\.1\.1\.1:9001/);
    expect(store.environments).toHaveLength(1);
  });
});

describe("an answer", () => {
  const answers = async (status: number, body: string): Promise<Access> => {
    const one = answering(identity, (request, response) => {
      request.resume();
      response.writeHead(status).end(body);
    });
    open.push(one);
    return { ...access, url: await listen(one) };
  };

  test.each([
    [401, "{}", "answers 401: the API key is not accepted"],
    [403, "{}", "answers 403: the API key is not an administrator's"],
    [409, '{"message":"Name is not unique","details":"x"}', "answers 409: Name is not unique: x"],
    [500, '{"message":"Unable"}', "answers 500: Unable"],
    [502, "<html>\nBad gateway", "answers 502: <html>"],
    [503, "", "answers 503: no reason given"],
    [200, "<html>", "the answer to GET /endpoints of Portainer is not JSON"],
    [200, "{}", "the answer to GET /endpoints of Portainer is not as expected"],
    [200, '[{"Id":"1"}]', "Id"],
  ])("of %s %s is told", async (status, body, message) => {
    await expect(connect(await answers(status, body)).environments()).rejects.toThrow(message);
  });

  test("is waited for only until the time limit", async () => {
    const silent = answering(identity, (request) => request.resume());
    open.push(silent);
    const patient = { ...access, url: await listen(silent), patience: 200 };
    await expect(connect(patient).version()).rejects.toThrow(/no answer within 0.2 s/);
    await expect(
      connect({ ...patient, fingerprint: undefined, caCertificate: identity.cert }).version(),
    ).rejects.toThrow(/no answer within 0.2 s/);
  });

  test("is not waited for where nothing listens, or no TLS is spoken", async () => {
    const tcp = createTcp((socket) => socket.end("hello\n"));
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    const { port } = tcp.address() as { port: number };
    const plain = { ...access, url: `https://127.0.0.1:${port}` };
    await expect(connect(plain).version()).rejects.toThrow(/cannot be reached/);
    tcp.close();
    await expect(connect(plain).version()).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe("the containers behind an agent", () => {
  test("are asked for through the environment with its URL, among all pages", async () => {
    for (let other = 0; other < 100; other++)
      existing({ Name: `other${other}`, URL: `tcp://10.1.1.${other}:9001` });
    existing({ URL: URL_OF_NODE });
    const seen = await connect(access).containers({ url: "https://10.25.20.24:9001" });
    expect(seen).toEqual([`${URL_OF_NODE} /containers/json?all=true`]);
    await expect(connect(access).containers({ url: "https://10.25.20.99:9001" })).rejects.toThrow(
      "no environment with the agent 10.25.20.99:9001",
    );
  });
});

describe("Portainer is known", () => {
  const version = (trust: Partial<Access>) =>
    connect({ ...access, fingerprint: undefined, ...trust }).version();

  test("by its fingerprint, or by the authority declared", async () => {
    expect(await version({ fingerprint: identity.fingerprint.toLowerCase() })).toBe("2.39.1");
    expect(await version({ caCertificate: identity.cert })).toBe("2.39.1");
  });

  test("by an authority that the environment names", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "portainer-ca-")), "ca.pem");
    writeFileSync(file, identity.cert);
    const before = process.env["NODE_EXTRA_CA_CERTS"];
    process.env["NODE_EXTRA_CA_CERTS"] = file;
    const { url } = access;
    const portainer = connect(accessFrom({ PORTAINER_URL: url, PORTAINER_API_KEY: KEY }));
    expect(await portainer.version()).toBe("2.39.1");
    if (before === undefined) delete process.env["NODE_EXTRA_CA_CERTS"];
    else process.env["NODE_EXTRA_CA_CERTS"] = before;
    rmSync(dirname(file), { recursive: true });
  });

  test.each<[string, Partial<Access>, RegExp]>([
    ["with another fingerprint", { fingerprint: other.fingerprint }, /declared fingerprint/],
    ["of another authority", { caCertificate: other.cert }, /self-signed certificate/],
    ["that nobody here trusts", {}, /self-signed certificate/],
  ])("and one %s is sent no key", async (_, trust, message) => {
    let asked = 0;
    server.on("request", () => asked++);
    await expect(version(trust)).rejects.toThrow(message);
    expect(asked).toBe(0);
  });
});

describe("the program that Pulumi runs", () => {
  const variables = (): Record<string, string> => ({
    PORTAINER_URL: access.url,
    PORTAINER_API_KEY: KEY,
    PORTAINER_FINGERPRINT: identity.fingerprint,
    PORTAINER_ENVIRONMENT: JSON.stringify(WANTED),
  });
  const ROOT = join(__dirname, "../..");

  /** As the command resource starts it; the project may lie anywhere below the package. */
  const started = (operation: string, env: Record<string, string>): Promise<Outcome> =>
    new Promise((resolve) => {
      const line = `node -e "import('docker-node/portainer-environment')" ${operation}`;
      const cwd = join(ROOT, "docs", "how-to");
      execFile(
        "/bin/sh",
        ["-c", line],
        { cwd, env: { ...process.env, ...env } },
        (error, stdout, stderr) => {
          resolve({ code: error ? 1 : 0, stdout, stderr });
        },
      );
    });

  test("is found by the package's name, and says what it made", async () => {
    const { stdout, stderr } = await started("apply", variables());
    expect([JSON.parse(stdout ?? ""), stderr]).toEqual([
      { id: store.environments[0]?.Id, name: "proj-docker02", url: URL_OF_NODE },
      "",
    ]);
    const removed = await started("remove", {
      ...variables(),
      PULUMI_COMMAND_STDOUT: stdout ?? "",
    });
    expect(removed).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/was removed/) as string,
    });
    expect(store.environments).toEqual([]);
  });

  test("fails with the reason, and shows no key", async () => {
    const wrong = { ...variables(), PORTAINER_API_KEY: "ptr_wrong" };
    const { code, stderr } = await runOperation("apply", wrong);
    expect([code, stderr]).toEqual([1, "Portainer answers 401: the API key is not accepted"]);
  });

  test("needs no Portainer to remove what was never made", async () => {
    expect(await runOperation("remove", {})).toEqual({ code: 0, stderr: undefined });
  });

  test("says how a node is removed without Portainer", async () => {
    close(server);
    const PULUMI_COMMAND_STDOUT = JSON.stringify({ id: 2, name: "a", url: URL_OF_NODE });
    const { code, stderr } = await runOperation("remove", {
      ...variables(),
      PULUMI_COMMAND_STDOUT,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/ECONNREFUSED[^]*register-in-portainer\.md/);
  });
});
