/** The stand-in for the command provider, against an ssh server in this process. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { CreateRequest, type CreateResponse } from "@pulumi/pulumi/proto/provider_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { Server, utils } from "ssh2";
import type {
  Connection as ServerSession,
  ServerHostKeyAlgorithm,
  Session,
  SFTPWrapper,
} from "ssh2";
import { command, localCommand } from "../../lab/plugins/command/command";
import { copyToRemote } from "../../lab/plugins/command/copy";
import { Operations } from "../../lab/plugins/command/operations";
import type { Level } from "../../lab/plugins/command/operations";
import * as resource from "../../lab/plugins/command/resource";
import { packageSchema } from "../../lab/plugins/command/schema";
import { isSecret, toPlain, toSecret, UNKNOWN } from "../../lab/plugins/command/values";
import type { Props, Value } from "../../lab/plugins/command/values";

/** Of some hundred keys of this kind ssh2 1.17.0 makes one that it cannot read itself (2 of 600). */
function makeKeys(): ReturnType<typeof utils.generateKeyPairSync> {
  const made = utils.generateKeyPairSync("ed25519");
  return utils.parseKey(made.private) instanceof Error ? makeKeys() : made;
}

const hostKey = makeKeys();
const otherKey = makeKeys();
const userKey = makeKeys();

/** What the server saw, and whether it takes variables. */
const seen = { commands: [] as string[], ended: [] as string[], acceptVariables: true };

/** Connections that are open. */
const open = new Set<ServerSession>();

function serveSession(session: Session): void {
  const env: NodeJS.ProcessEnv = { ...process.env };
  session.on("env", (accept, reject, { key, val }: { key: string; val: string }) => {
    env[key] = val;
    // The types forget that a request without a wish for an answer has neither.
    const answer = (seen.acceptVariables ? accept : reject) as (() => void) | undefined;
    answer?.();
  });
  session.on("exec", (accept, _reject, info) => {
    seen.commands.push(info.command);
    const channel = accept();
    const child = spawn("sh", ["-c", info.command], { env, detached: true });
    channel.on("close", () => {
      if (child.exitCode === null && child.pid) {
        seen.ended.push(info.command);
        process.kill(-child.pid);
      }
    });
    channel.pipe(child.stdin);
    child.stdin.on("error", () => undefined);
    child.stdout.on("data", (data: Buffer) => channel.write(data));
    child.stderr.on("data", (data: Buffer) => channel.stderr.write(data));
    child.on("close", (code) => {
      channel.exit(code ?? 255);
      channel.end();
    });
  });
  session.on("sftp", (accept) => {
    serveFiles(accept());
  });
}

/** As much of sftp as an upload needs, on this machine's files. */
function serveFiles(sftp: SFTPWrapper): void {
  const { OK, FAILURE, NO_SUCH_FILE } = utils.sftp.STATUS_CODE;
  const missing = ["ENOENT", "ENOTDIR"];
  const guard = (id: number, action: () => void): void => {
    try {
      action();
    } catch (error) {
      sftp.status(
        id,
        missing.includes((error as { code?: string }).code ?? "") ? NO_SUCH_FILE : FAILURE,
      );
    }
  };
  const handle = (number: number): Buffer => Buffer.from([number]);
  sftp.on("OPEN", (id, name, flags) => {
    const mode = utils.sftp.flagsToString(flags) ?? "r";
    guard(id, () => {
      sftp.handle(id, handle(fs.openSync(name, mode)));
    });
  });
  sftp.on("WRITE", (id, file, offset, data) => {
    guard(id, () => {
      fs.writeSync(file[0] ?? -1, data, 0, data.length, offset);
      sftp.status(id, OK);
    });
  });
  sftp.on("CLOSE", (id, file) => {
    guard(id, () => {
      fs.closeSync(file[0] ?? -1);
      sftp.status(id, OK);
    });
  });
  const stat = (id: number, name: string): void => {
    guard(id, () => {
      const { mode, uid, gid, size } = fs.statSync(name);
      sftp.attrs(id, { mode, uid, gid, size, atime: 0, mtime: 0 });
    });
  };
  sftp.on("STAT", stat).on("LSTAT", stat);
  sftp.on("FSETSTAT", (id) => {
    sftp.status(id, OK);
  });
  sftp.on("MKDIR", (id, name) => {
    guard(id, () => {
      fs.mkdirSync(name);
      sftp.status(id, OK);
    });
  });
}

function serveClient(client: ServerSession): void {
  open.add(client);
  client.on("close", () => open.delete(client));
  // The types leave it out.
  (client as ServerSession & { setNoDelay: (on: boolean) => void }).setNoDelay(true);
  client.on("authentication", (context) => {
    const allowed =
      (context.method === "password" && context.password === "right") ||
      (context.method === "publickey" && context.username === "root");
    if (allowed) context.accept();
    else context.reject(["password", "publickey"]);
  });
  client.on("session", (accept) => {
    serveSession(accept());
  });
  client.on("tcpip", (accept, _reject, info) => {
    const stream = accept();
    const socket = connect(info.destPort, info.destIP);
    stream.pipe(socket).pipe(stream);
    socket.on("error", () => {
      stream.close();
    });
  });
  client.on("error", () => undefined);
}

async function startServer(port = 0): Promise<{ server: Server; port: number }> {
  const server = new Server({ hostKeys: [hostKey.private] }, serveClient);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

let host: Awaited<ReturnType<typeof startServer>>;
let logs: [Level, string][] = [];
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "lab-command-"));
const operations = new Operations();

beforeAll(async () => {
  host = await startServer();
});
beforeEach(() => {
  logs = [];
  Object.assign(seen, { commands: [], ended: [], acceptVariables: true });
});
afterAll(async () => {
  for (const client of open) client.end();
  host.server.close();
  await once(host.server, "close");
  fs.rmSync(scratch, { recursive: true });
});

function connectionTo(port: number, overrides: Props = {}): Value {
  return { host: "127.0.0.1", port, privateKey: userKey.private, ...overrides };
}

/** Inputs as pulumi holds them after the check. */
function checked(inputs: Props, of: resource.Resource = command): Props {
  const connection = connectionTo(host.port);
  const result = resource.check(of, { connection, ...inputs });
  expect(result.failures).toEqual([]);
  return result.inputs;
}

function run<T>(body: Parameters<typeof operations.run<T>>[2], timeout = 0): Promise<T> {
  return operations.run((level, message) => void logs.push([level, message]), timeout, body);
}

const create = (inputs: Props, of = command, timeout = 0): Promise<Props> =>
  run((operation) => of.create(operation, checked(inputs, of)), timeout);
const update = (state: Props, inputs: Props, of = command): Promise<Props> =>
  run((operation) => of.update(operation, state, checked(inputs, of)));

describe("check", () => {
  const failuresOf = (inputs: Props): string[] =>
    resource
      .check(command, inputs)
      .failures.map(({ property, reason }) => `${property}: ${reason}`);

  it("adds upstream's defaults and marks what the schema calls secret", () => {
    const { connection } = checked({
      connection: { host: "h", privateKey: "k", proxy: { host: "p" } },
    });
    expect(isSecret(connection)).toBe(true);
    const defaults = { port: 22, user: "root", dialErrorLimit: 10, perDialTimeout: 15 };
    expect(toPlain(connection ?? null)).toEqual({
      host: "h",
      privateKey: "k",
      ...defaults,
      proxy: { host: "p", ...defaults },
    });
    const inner = isSecret(connection) ? (connection.value as Props) : {};
    expect(isSecret(inner["privateKey"])).toBe(true);
  });

  it("names what is missing, mistyped or unknown to it", () => {
    expect(failuresOf({})).toEqual(["connection: missing required value"]);
    expect(failuresOf({ connection: {} })).toEqual(["connection.host: missing required value"]);
    expect(failuresOf({ connection: { host: "h" }, create: 1, triggers: "x", up: "y" })).toEqual([
      "create: expected string",
      "triggers: expected list",
      "up: unrecognized property",
    ]);
    expect(failuresOf({ connection: { host: "h" }, logging: "all" })[0]).toMatch(
      "logging: expected one of",
    );
  });

  it("accepts values that are not known yet", () => {
    expect(failuresOf({ connection: UNKNOWN, create: UNKNOWN, triggers: [UNKNOWN] })).toEqual([]);
    expect(
      failuresOf({ connection: toSecret({ host: UNKNOWN }), create: toSecret(UNKNOWN) }),
    ).toEqual([]);
  });
});

describe("diff", () => {
  const before = { create: "a", triggers: ["1", "2"], environment: { A: "1" } };
  const diffTo = (after: Props): Record<string, resource.PropertyChange> =>
    Object.fromEntries(resource.diffInputs(before, { ...before, ...after }));

  it("finds no change where there is none", () => {
    expect(diffTo({})).toEqual({});
  });

  it("replaces for triggers and updates for anything else", () => {
    expect(diffTo({ triggers: ["1", "3", "4"] })).toEqual({
      "triggers[1]": { change: "update", replace: true },
      "triggers[2]": { change: "add", replace: true },
    });
    expect(diffTo({ create: "b", stdin: "c", environment: {} })).toEqual({
      create: { change: "update", replace: false },
      stdin: { change: "add", replace: false },
      "environment.A": { change: "delete", replace: false },
    });
  });

  it("treats secrets as leaves and tells a secret from the same value in the open", () => {
    const of = (a: Value, b: Value): string[] => [
      ...resource.diffInputs({ x: a }, { x: b }).keys(),
    ];
    expect(of(toSecret({ a: 1 }), toSecret({ a: 2 }))).toEqual(["x"]);
    expect(of(toSecret("v"), "v")).toEqual(["x"]);
    expect(of(toSecret("v"), toSecret("v"))).toEqual([]);
  });
});

describe("preview", () => {
  const state = { create: "a", connection: toSecret({ host: "h" }), stdout: "out", stderr: "" };
  const inputs = { create: "a", connection: toSecret({ host: "h" }) };

  it("promises no output of a creation", () => {
    expect(resource.previewCreate(command, inputs)).toEqual({
      ...inputs,
      stdout: UNKNOWN,
      stderr: UNKNOWN,
    });
  });

  it("promises no output of an update for a changed or unknown input, and the last one otherwise", () => {
    const stdout = (changes: Props): Value | undefined =>
      resource.previewUpdate(command, state, { ...inputs, ...changes })["stdout"];
    expect(stdout({})).toBe("out");
    expect(stdout({ create: "b" })).toBe(UNKNOWN);
    expect(stdout({ stdin: UNKNOWN })).toBe(UNKNOWN);
    // As upstream: an input the state does not have yet changes nothing in a preview.
    expect(stdout({ stdin: "new" })).toBe("out");
  });
});

describe("Command", () => {
  it("runs create with stdin and returns both outputs without their last newline", async () => {
    const state = await create({ create: "cat; printf 'e\\n\\n' >&2", stdin: "line\nlast\n" });
    expect(state).toMatchObject({ stdout: "line\nlast", stderr: "e\n" });
  });

  it("keeps secret inputs secret and leaves the outputs to additionalSecretOutputs, as upstream", async () => {
    const state = await create({ create: toSecret("echo x"), stdin: toSecret("y") });
    for (const name of ["create", "stdin", "connection"]) expect(isSecret(state[name])).toBe(true);
    expect(state["stdout"]).toBe("x");
  });

  it("runs nothing without a command", async () => {
    expect(await create({ update: "false" })).toMatchObject({ stdout: "", stderr: "" });
    expect(seen.commands).toEqual([]);
  });

  it("runs update, or create again, or nothing and keeps the output", async () => {
    const state = { stdout: "old", stderr: "" };
    expect(await update(state, { create: "echo c", update: "echo u" })).toMatchObject({
      stdout: "u",
    });
    expect(await update(state, { create: "echo c" })).toMatchObject({ stdout: "c" });
    expect(await update(state, { delete: "echo d" })).toMatchObject({ stdout: "old" });
  });

  it("runs delete with the last state", async () => {
    await run(async (operation) => command.delete?.(operation, checked({ delete: "echo gone" })));
    expect(seen.commands).toEqual(["echo gone"]);
  });

  it("fails with the exit status and what was printed", async () => {
    await expect(create({ create: "echo out; echo err >&2; exit 3" })).rejects.toThrow(
      /^Process exited with status 3: running "echo out; echo err >&2; exit 3":\n(out\nerr|err\nout)\n$/,
    );
  });

  it("logs as asked", async () => {
    const logged = async (logging?: string): Promise<string[]> => {
      logs = [];
      await create({ create: "printf 'a\\nb'; echo e >&2", ...(logging && { logging }) });
      return logs.map(([, message]) => message).sort();
    };
    expect(await logged()).toEqual(["a", "b", "e"]);
    expect(await logged("stdout")).toEqual(["a", "b"]);
    expect(await logged("stderr")).toEqual(["e"]);
    expect(await logged("none")).toEqual([]);
  });
});

describe("environment", () => {
  const state = { stdout: "before", stderr: "" };
  const show = 'echo "$MINE,$PULUMI_COMMAND_STDOUT,${PULUMI_COMMAND_STDERR-unset}"';

  it("holds the user's variables and the previous output", async () => {
    const inputs = { update: show, environment: { MINE: "m" } };
    expect(await update(state, inputs)).toMatchObject({ stdout: "m,before,unset" });
    expect(await create({ create: show })).toMatchObject({ stdout: ",,unset" });
  });

  it("holds no previous output when that is not wanted", async () => {
    const inputs = { update: show, addPreviousOutputInEnv: false };
    expect(await update(state, inputs)).toMatchObject({ stdout: ",,unset" });
  });

  it("is an error when the server refuses the user's variable, and a warning for the previous output", async () => {
    seen.acceptVariables = false;
    await update(state, { update: "true" });
    expect(logs).toEqual([["warning", expect.stringContaining("PULUMI_COMMAND_STDOUT")]]);
    await expect(create({ create: "true", environment: { MINE: "m" } })).rejects.toThrow(
      'could not set environment variable "MINE"',
    );
  });
});

describe("connection", () => {
  const to = (port: number, overrides: Props): Promise<Props> =>
    create({ create: "echo here", connection: connectionTo(port, overrides) });

  it("dials until the server appears", async () => {
    const port = await freePort();
    const done = to(port, { dialErrorLimit: -1 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const late = await startServer(port);
    expect(await done).toMatchObject({ stdout: "here" });
    expect(logs[0]?.[1]).toBe("Dial 1/inf failed: retrying");
    late.server.close();
  });

  it("gives up at the limit", async () => {
    const port = await freePort();
    await expect(to(port, { dialErrorLimit: 2 })).rejects.toThrow(
      /^after 2 failed attempts: connect ECONNREFUSED/,
    );
    expect(logs).toHaveLength(2);
  });

  it("waits for a server that accepts and stays silent, as upstream does, until the resource's time is over", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const connection = connectionTo(port, { dialErrorLimit: 0, perDialTimeout: 1 });
    const began = Date.now();
    await expect(create({ create: "true", connection }, command, 2.5)).rejects.toThrow(
      /^context deadline exceeded$/,
    );
    expect(Date.now() - began).toBeGreaterThan(2400);
    expect(logs).toEqual([]);
    silent.close();
  });

  it("gives up on a host that does not answer the TCP connection after perDialTimeout", async () => {
    // The queue of a server that accepts nobody takes one connection, and the kernel drops what comes after.
    const serve =
      "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(0); print(s.getsockname()[1], flush=True); time.sleep(60)";
    const full = spawn("python3", ["-c", serve]);
    const [said] = (await once(full.stdout, "data")) as [Buffer];
    const port = Number(said);
    const queued = [1, 2, 3].map(() => connect(port, "127.0.0.1").on("error", () => undefined));
    await once(queued[0] ?? full, "connect");
    await expect(to(port, { dialErrorLimit: 0, perDialTimeout: 1 })).rejects.toThrow(
      `after 0 failed attempts: dial tcp 127.0.0.1:${port}: i/o timeout`,
    );
    for (const socket of queued) socket.destroy();
    full.kill();
  });

  it("asks for SHA-1 by an RSA host key, as upstream does, which a current sshd refuses", async () => {
    const rsa = utils.generateKeyPairSync("rsa", { bits: 2048 });
    const attempt = async (serverHostKey: ServerHostKeyAlgorithm[]): Promise<Props> => {
      const settings = { hostKeys: [rsa.private], algorithms: { serverHostKey } };
      const server = new Server(settings, serveClient).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      return to(port, { hostKey: rsa.public, dialErrorLimit: 0 }).finally(() => server.close());
    };
    await expect(attempt(["rsa-sha2-512", "rsa-sha2-256"])).rejects.toThrow(
      /^after 0 failed attempts: .*no matching host key/,
    );
    expect(seen.commands).toEqual([]);
    expect(await attempt(["ssh-rsa"])).toMatchObject({ stdout: "here" });
  });

  it("accepts the given host key and refuses another", async () => {
    expect(await to(host.port, { hostKey: `${hostKey.public} name` })).toMatchObject({
      stdout: "here",
    });
    const wrong = to(host.port, { hostKey: otherKey.public, dialErrorLimit: 0 });
    await expect(wrong).rejects.toThrow("ssh: host key mismatch");
    await expect(to(host.port, { hostKey: "nonsense" })).rejects.toThrow(
      "failed to parse host key",
    );
    expect(seen.commands).toHaveLength(1);
  });

  it("logs in by password, and says when it may not", async () => {
    const login = (password: string): Promise<Props> =>
      to(host.port, { privateKey: null, user: "other", password, dialErrorLimit: 0 });
    expect(await login("right")).toMatchObject({ stdout: "here" });
    await expect(login("wrong")).rejects.toThrow(/authentication/);
  });

  it("goes through a proxy and names it in errors", async () => {
    const proxy = connectionTo(host.port);
    expect(await to(host.port, { proxy })).toMatchObject({ stdout: "here" });
    const absent = connectionTo(await freePort(), { dialErrorLimit: 0 });
    await expect(to(host.port, { proxy: absent })).rejects.toThrow(
      /^proxy: after 0 failed attempts/,
    );
  });

  it("goes on with a script when pulumi cancels, and when the resource's time is over", async () => {
    const done = create({ create: "echo started; sleep 1; echo done" }, command, 0.5);
    while (logs.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    operations.cancel();
    expect(await done).toMatchObject({ stdout: "started\ndone" });
    expect(seen.ended).toEqual([]);
  });

  it("says nothing but that its time is over when it has dialed all the time", async () => {
    const connection = connectionTo(await freePort(), { dialErrorLimit: -1 });
    const failed = create({ create: "true", connection }, command, 0.3);
    await expect(failed).rejects.toThrow(/^context deadline exceeded$/);
  });

  it("leaves its connections open", async () => {
    const before = open.size;
    await to(host.port, {});
    await to(host.port, {});
    expect(open.size).toBe(before + 2);
  });

  it("fails at once where the agent does not answer, though a key is given", async () => {
    process.env["SSH_AUTH_SOCK"] = path.join(scratch, "gone");
    await expect(to(host.port, {})).rejects.toThrow(/^dial unix .*gone: connect ENOENT/);
    delete process.env["SSH_AUTH_SOCK"];
    expect(logs).toEqual([]);
  });
});

describe("CopyToRemote", () => {
  const signature = { "4dabf18193072939515e22adb298388d": "" };
  const assetOf = (fields: Props): Props => ({
    ...signature,
    "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17",
    ...fields,
  });
  const archiveOf = (fields: Props): Props => ({
    ...signature,
    "4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7",
    ...fields,
  });
  const text = (content: string): Props => assetOf({ text: content, hash: `hash of ${content}` });
  const at = (...parts: string[]): string => path.join(scratch, ...parts);
  const read = (...parts: string[]): string => fs.readFileSync(at(...parts), "utf8");

  it("writes a text and makes the directories above it", async () => {
    const remotePath = at("new", "folder", "text");
    await create({ source: text("content"), remotePath }, copyToRemote);
    expect(read("new", "folder", "text")).toBe("content");
    const onDirectory = create({ source: text("x"), remotePath: scratch }, copyToRemote);
    await expect(onDirectory).rejects.toThrow("needs the path of a file");
  });

  it("copies a file to a path or into a directory", async () => {
    fs.writeFileSync(at("source"), "from file");
    const source = assetOf({ path: at("source"), hash: "h" });
    await create({ source, remotePath: at("target") }, copyToRemote);
    fs.mkdirSync(at("into"));
    await create({ source, remotePath: at("into") }, copyToRemote);
    expect([read("target"), read("into", "source")]).toEqual(["from file", "from file"]);
  });

  it("copies a directory, or with a trailing slash what is in it", async () => {
    fs.mkdirSync(at("tree", "sub"), { recursive: true });
    fs.writeFileSync(at("tree", "sub", "leaf"), "green");
    const archive = (name: string): Props => archiveOf({ path: at(name), hash: "h" });
    await create({ source: archive("tree"), remotePath: at("copies") }, copyToRemote);
    await create(
      {
        source: archiveOf({ path: `${at("tree")}/`, hash: "h" }),
        remotePath: at("bare"),
      },
      copyToRemote,
    );
    expect([read("copies", "tree", "sub", "leaf"), read("bare", "sub", "leaf")]).toEqual([
      "green",
      "green",
    ]);
    const onFile = create(
      { source: archive("tree"), remotePath: at("copies/tree/sub/leaf") },
      copyToRemote,
    );
    await expect(onFile).rejects.toThrow("is not a directory");
  });

  it("copies again only when the content or the path changed", async () => {
    const remotePath = at("again");
    const state = await create({ source: text("one"), remotePath }, copyToRemote);
    fs.writeFileSync(remotePath, "touched");
    await update(state, { source: text("one"), remotePath, triggers: ["x"] }, copyToRemote);
    expect(read("again")).toBe("touched");
    const changed = { source: text("two"), remotePath };
    expect([...resource.diffInputs(state, checked(changed, copyToRemote)).keys()]).toEqual([
      "source",
    ]);
    await update(state, changed, copyToRemote);
    expect(read("again")).toBe("two");
  });

  it("refuses what 1.2.1 refuses", () => {
    const reason = (source: Value): string | undefined =>
      resource.check(copyToRemote, { connection: { host: "h" }, remotePath: "/x", source })
        .failures[0]?.reason;
    expect(reason(assetOf({ uri: "https://example.com" }))).toMatch("asset must be");
    expect(reason(archiveOf({ assets: {} }))).toMatch("archive must be");
    expect(reason(UNKNOWN)).toBe("either asset or archive must be set");
  });
});

describe("a command of the workstation", () => {
  const made = (inputs: Props): Promise<Props> =>
    run((operation) => localCommand.create(operation, inputs));

  it("runs in the plugin's folder or another one, with its variables and its input", async () => {
    const inputs = { create: 'pwd; echo "$ONE"; cat', environment: { ONE: "1" }, stdin: "two" };
    expect((await made(inputs))["stdout"]).toBe(`${process.cwd()}\n1\ntwo`);
    const dir = fs.realpathSync(os.tmpdir());
    expect((await made({ ...inputs, dir }))["stdout"]).toBe(`${dir}\n1\ntwo`);
  });

  it("gets what it printed before, shows what it is told to, and runs by another interpreter", async () => {
    const create = 'echo "was $PULUMI_COMMAND_STDOUT"; echo shown >&2';
    const inputs: Props = { create, logging: "stderr" };
    const state = await made(inputs);
    logs.length = 0;
    const next = await run((operation) => localCommand.update(operation, state, inputs));
    expect(next).toMatchObject({ stdout: "was was ", stderr: "shown" });
    expect(logs).toEqual([["status", "shown"]]);
    const interpreter = ["/bin/echo", "-n"];
    expect((await made({ ...inputs, interpreter }))["stdout"]).toBe(create);
  });

  it("that fails says how, and with what; one that takes too long is ended", async () => {
    await expect(made({ create: "echo out; echo why >&2; exit 3" })).rejects.toThrow(
      /^exit status 3: running "echo out; [^]*:\n(out\nwhy|why\nout)\n$/,
    );
    const slow = (): Promise<Props> =>
      run((operation) => localCommand.create(operation, { create: "exec sleep 60" }), 1);
    await expect(slow()).rejects.toThrow();
    await expect(made({ create: "kill -KILL $$" })).rejects.toThrow(/^signal: SIGKILL/);
    await expect(made({ create: "x", dir: "/no/such/folder" })).rejects.toThrow("ENOENT");
  });
});

/** The plugin as Pulumi starts it, and the process that stands for Pulumi. */
async function startPlugin(): Promise<{ pulumi: ChildProcess; client: ResourceProviderClient }> {
  const program = path.join(__dirname, "../../lab/plugins/command/pulumi-resource-command");
  const pulumi = spawn("sh", ["-c", '"$0" & wait', program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = (await once(pulumi.stdout, "data")) as [Buffer];
  const address = `127.0.0.1:${printed.toString().trim()}`;
  return { pulumi, client: new ResourceProviderClient(address, credentials.createInsecure()) };
}

it("outlives a pulumi that is killed until what it runs is over", async () => {
  const { pulumi, client } = await startPlugin();
  const request = new CreateRequest();
  request.setUrn("urn:pulumi:s::p::command:remote:Command::x");
  const script = { create: "echo began; sleep 3; echo over" };
  request.setProperties(Struct.fromJavaScript(checked(script)));
  const created = new Promise<CreateResponse>((resolve, reject) => {
    client.create(request, (error: Error | null, response: CreateResponse) => {
      if (error) reject(error);
      else resolve(response);
    });
  });
  while (seen.commands.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  pulumi.kill("SIGKILL");
  const { stdout } = (await created).getProperties()?.toJavaScript() ?? {};
  expect(stdout).toBe("began\nover");
  const gone = (): Promise<boolean> =>
    new Promise((resolve) => {
      client.waitForReady(Date.now() + 500, (error) => {
        resolve(Boolean(error));
      });
    });
  while (!(await gone())) await new Promise((resolve) => setTimeout(resolve, 100));
  client.close();
});

it("describes its resources in its schema", () => {
  const schema = JSON.parse(packageSchema()) as {
    resources: Record<string, { inputProperties: Record<string, unknown>; required: string[] }>;
  };
  expect(Object.keys(schema.resources)).toEqual([
    "command:remote:Command",
    "command:local:Command",
    "command:remote:CopyToRemote",
  ]);
  expect(schema.resources["command:remote:Command"]?.required).toEqual([
    "connection",
    "stdout",
    "stderr",
  ]);
  expect(schema.resources["command:remote:Command"]?.inputProperties["connection"]).toEqual({
    $ref: "#/types/command:remote:Connection",
    secret: true,
  });
});
