import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { interpret, readConfiguration } from "../../clients/pulumi/configuration";
import { serviceChecks } from "../../commands/doctor/checks/services";
import { runCommandLine } from "../../commands/cli";
import { findManagedVms } from "../../commands/doctor/context";
import { ROLES, effectivePrivileges } from "../../commands/doctor/privileges";
import { connect } from "../../clients/proxmox";
import { askForImage, parseImage, tokenUrl } from "../../clients/registry";
import { listGrants, renderScript, scriptFor } from "../../commands/doctor/render";
import { isReady, toJson, redact, toTable } from "../../commands/doctor/report";
import { probe } from "../../clients/network";
import { makeRunner, type Ran, type Run } from "../../clients/process";
import type { Context, Result } from "../../commands/doctor/types";
import { isAtLeast, isInRange } from "../../clients/versions";
import { privilegesPage } from "../../docs/generator/privileges";
import { prodNode, stackFile } from "../support/settings";

const TOKEN = "automation@pve!pulumi=11111111-2222-3333-4444-555555555555";
const UUID = "11111111-2222-3333-4444-555555555555";
const SECRET = "agent-secret-of-some-length";

let scratch: string;
const closers: (() => void)[] = [];
beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), "doctor-"));
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => {
  fs.rmSync(scratch, { recursive: true, force: true });
});

async function listen(server: http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

describe("report", () => {
  const results: Result[] = [
    { id: "a", title: "First", status: "pass", detail: "fine" },
    { id: "b", title: "Second one", status: "warn", detail: "so so", fix: "try this" },
    { id: "c", title: "Third", status: "fail", detail: "bad:\nworse", fix: "do that" },
    { id: "d", title: "Fourth", status: "skip", detail: "no" },
  ];

  test("for people", () => {
    expect(toTable(results)).toMatchInlineSnapshot(`
"✓ First       fine
! Second one  so so
              → try this
✗ Third       bad:
              worse
              → do that
- Fourth      no

1 passed, 1 warned, 1 failed, 1 skipped: not ready"
`);
  });

  test("for programs", () => {
    expect(JSON.parse(toJson("prod", results))).toEqual({
      stack: "prod",
      ready: false,
      checks: results,
    });
  });

  test("only a failure makes the status 1", () => {
    expect(isReady(results)).toBe(false);
    expect(isReady(results.filter(({ status }) => status !== "fail"))).toBe(true);
    expect(toTable([])).toContain("ready for pulumi up");
  });

  test("secrets are removed, the longest first; short texts stay", () => {
    const leaky = [
      { id: "x", title: UUID, status: "fail", detail: `a ${TOKEN} b`, fix: `c ${UUID} is` },
    ] as const;
    expect(redact(leaky, [UUID, TOKEN, "is"])).toEqual([
      { id: "x", title: "[secret]", status: "fail", detail: "a [secret] b", fix: "c [secret] is" },
    ]);
  });
});

describe("configuration", () => {
  const { proxmox, nodes } = stackFile("prod");
  const values = {
    "docker-node:proxmox": { objectValue: proxmox },
    "docker-node:nodes": { value: JSON.stringify(nodes) },
    "docker-node:proxmoxApiToken": { value: TOKEN, secret: true },
    "docker-node:agentSecret": { value: SECRET, secret: true },
    "docker-node:pbsStorageKey": { objectValue: { deep: ["hidden-text"] }, secret: true },
  };

  test("objects, and JSON texts of them", () => {
    const read = interpret(values);
    expect(read.problems).toEqual([]);
    expect(Object.keys(read.settings?.nodes ?? {})).toEqual(["proj-docker02"]);
    expect(read).toMatchObject({ apiToken: TOKEN, texts: { agentSecret: SECRET } });
    expect([...read.secrets].sort()).toEqual([UUID, SECRET, TOKEN, "hidden-text"].sort());
  });

  test("a key that the program does not read, and a version it does not know", () => {
    const misspelt = { ...values, "docker-node:defualts": { objectValue: {} }, "aws:region": {} };
    expect(interpret(misspelt).problems).toEqual([expect.stringMatching(/^defualts: not a key/)]);
    const newer = interpret({ ...values, "docker-node:configVersion": { value: "2" } });
    expect(newer.problems).toEqual([expect.stringMatching(/^configVersion: 2; allowed: 1:/)]);
    const known = interpret({ ...values, "docker-node:configVersion": { value: "1" } });
    expect(known.problems).toEqual([]);
  });

  test("every problem, each on a line of its own", () => {
    const broken = { "docker-node:proxmox": { objectValue: { endpoint: "x" } } };
    const { settings, problems } = interpret(broken);
    expect(settings).toBeUndefined();
    expect(problems).toEqual([
      expect.stringContaining("proxmox.endpoint"),
      expect.stringContaining("nodes: missing"),
    ]);
    expect(interpret({ "docker-node:nodes": { value: "{" } }).problems).toHaveLength(2);
  });

  const answering =
    (ran: Partial<Ran>): Run =>
    () =>
      Promise.resolve({ code: 0, stdout: "", stderr: "", ...ran });

  test("by the CLI", async () => {
    const run = answering({ stdout: JSON.stringify(values) });
    expect(await readConfiguration(run, "prod", scratch)).toEqual(interpret(values));
  });

  test("from the file without it: what is secret is not known", async () => {
    const text = "config:\n  docker-node:proxmoxApiToken: { secure: AAAA }\n";
    fs.writeFileSync(path.join(scratch, "Pulumi.sealed.yaml"), text);
    const read = await readConfiguration(answering({ code: undefined }), "sealed", scratch);
    expect(read).toMatchObject({ sealed: "the Pulumi CLI is missing", secrets: [] });
    expect(read.apiToken).toBeUndefined();
    const none = await readConfiguration(answering({ code: 1, stderr: "a\nb\n" }), "no", scratch);
    expect(none).toMatchObject({ sealed: "b", problems: ["Pulumi.no.yaml cannot be read"] });
  });

  test("VMs in the state", async () => {
    const resources = [
      { type: "proxmoxve:index/vmLegacy:VmLegacy", outputs: { vmId: 2019 } },
      { type: "pulumi:pulumi:Stack" },
    ];
    const stdout = JSON.stringify({ deployment: { resources } });
    expect(await findManagedVms(answering({ stdout }), "prod")).toEqual(new Set([2019]));
    expect(await findManagedVms(answering({ code: 255 }), "prod")).toEqual(new Set());
    expect(await findManagedVms(answering({ stdout: "{}" }), "prod")).toEqual(new Set());
  });
});

describe("the API client", () => {
  let key: Buffer;
  let cert: Buffer;
  let certFile: string;
  const bundle = process.env["SSL_CERT_FILE"];
  beforeAll(() => {
    const keyFile = path.join(scratch, "tls.key");
    certFile = path.join(scratch, "tls.crt");
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", keyFile, "-out", certFile];
    execFileSync("openssl", ["req", "-x509", ...kind, ...files, ...subject], { stdio: "pipe" });
    [key, cert] = [fs.readFileSync(keyFile), fs.readFileSync(certFile)];
  });
  afterEach(() => {
    if (bundle === undefined) delete process.env["SSL_CERT_FILE"];
    else process.env["SSL_CERT_FILE"] = bundle;
  });

  async function cluster(
    answer: http.RequestListener,
    options: { insecure?: boolean; timeoutMs?: number } = {},
  ): Promise<ReturnType<typeof connect>> {
    const port = await listen(https.createServer({ key, cert }, answer));
    const { insecure = true, timeoutMs } = options;
    return connect({
      endpoint: `https://127.0.0.1:${port}/`,
      insecure,
      apiToken: TOKEN,
      timeoutMs,
    });
  }

  test("asks once, as the token, and returns the data", async () => {
    const asked: unknown[] = [];
    const api = await cluster((request, response) => {
      asked.push([request.method, request.url, request.headers.authorization]);
      response.end('{"data":{"version":"9.1.2"}}');
    });
    expect(await Promise.all([api.get("/version"), api.get("/version")])).toEqual([
      { version: "9.1.2" },
      { version: "9.1.2" },
    ]);
    expect(asked).toEqual([["GET", "/api2/json/version", `PVEAPIToken=${TOKEN}`]]);
  });

  test("a refusal, another program's answer, silence", async () => {
    const api = await cluster(
      (request, response) => {
        if (request.url?.endsWith("/no")) response.writeHead(403, "Permission check failed").end();
        else if (request.url?.endsWith("/page")) response.end("<html>");
      },
      { timeoutMs: 300 },
    );
    await expect(api.get("/no")).rejects.toMatchObject({
      status: 403,
      message: "Permission check failed",
    });
    await expect(api.get("/page")).rejects.toMatchObject({
      message: "the answer does not come from a Proxmox VE API",
    });
    await expect(api.get("/silence")).rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  test("a certificate that does not verify, and one that this machine trusts", async () => {
    const ok: http.RequestListener = (_, response) => response.end('{"data":1}');
    const strict = await cluster(ok, { insecure: false });
    await expect(strict.get("/version")).rejects.toMatchObject({
      status: 0,
      code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/) as unknown,
    });
    process.env["SSL_CERT_FILE"] = certFile;
    const trusting = await cluster(ok, { insecure: false });
    expect(await trusting.get("/version")).toBe(1);
  });

  test("inherited privileges count, those on other paths do not", () => {
    const held = {
      "/": { "Sys.Audit": 1 },
      "/vms": { "VM.Audit": 1 },
      "/vms/20": { "VM.Clone": 1 },
    };
    expect([...effectivePrivileges(held, "/vms/2019")]).toEqual(["Sys.Audit", "VM.Audit"]);
  });
});

describe("a registry", () => {
  const image = "agent:1@sha256:" + "a".repeat(64);

  test.each([
    ["portainer/agent:2.39.1", "docker.io", "portainer/agent"],
    ["docker.io/portainer/agent:2.39.1", "docker.io", "portainer/agent"],
    ["busybox:1", "docker.io", "library/busybox"],
    ["localhost/a/b:1", "localhost", "a/b"],
    ["10.25.20.5:5000/lab/agent:1", "10.25.20.5:5000", "lab/agent"],
  ])("%s", (name, host, repository) => {
    expect(parseImage(`${name}@sha256:x`)).toEqual({ host, repository, digest: "sha256:x" });
  });

  test("gives a token to anyone who asks, then the image", async () => {
    const asked: string[] = [];
    const port = await listen(
      http.createServer((request, response) => {
        asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
        const realm = `http://127.0.0.1:${port}/token`;
        if (request.url?.startsWith("/token")) response.end('{"token":"t"}');
        else if (request.headers.authorization === "Bearer t") response.end();
        else
          response
            .writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` })
            .end();
      }),
    );
    const parsed = parseImage(`127.0.0.1:${port}/lab/${image}`);
    const access = { host: parsed.host, scheme: "http", patience: 2000 } as const;
    expect(await askForImage(parsed, access)).toEqual({ status: 200, challenged: true });
    expect(asked[1]).toBe("GET /token?service=s&scope=repository%3Alab%2Fagent%3Apull");
    expect(tokenUrl("Basic realm=x", "r")).toBeUndefined();
    expect(tokenUrl("Bearer service=x", "r")).toBeUndefined();
  });

  test("is asked for every image that a node declares", () => {
    const node = prodNode({ workloads: { web: { image: `docker.io/library/${image}` } } });
    const settings = { nodes: { node } };
    const context = { configuration: { settings } } as unknown as Context;
    const titles = serviceChecks(context).flatMap(({ id, title }) =>
      id.startsWith("image:") ? title : [],
    );
    const own = ["backup", "cadvisor", "socket_proxy"].map((name) => `docker_node_${name}`);
    const containers = ["portainer_agent", ...own, "web"];
    expect(titles).toEqual(containers.map((name) => `Image of ${name}`));
  });

  test("that has it passes; one that has not, or is not there, warns", async () => {
    let status = 200;
    const server = http.createServer((_, response) => response.writeHead(status).end());
    const port = await listen(server);
    const host = `127.0.0.1:${port}`;
    const node = prodNode({
      portainer: { agent: { image: `${host}/${image}` } },
      engine: { daemon: { "insecure-registries": [host] } },
    });
    const settings = { proxmox: { endpoint: "", insecure: true }, nodes: { node } };
    const configuration = { settings, problems: [], secrets: [] };
    const context = { configuration, patience: 2000 } as unknown as Context;
    const ask = async (): Promise<unknown> => {
      const [check] = serviceChecks(context);
      return check?.run(context);
    };
    expect(await ask()).toMatchObject({ status: "pass" });
    status = 404;
    expect(await ask()).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("404") as unknown,
    });
    server.close();
    server.closeAllConnections();
    expect(await ask()).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("ECONNREFUSED") as unknown,
    });
  });
});

describe("this machine", () => {
  test("programs: their output, their failure, their absence", async () => {
    const run = makeRunner(scratch);
    expect(await run("sh", ["-c", "echo out; pwd"])).toMatchObject({
      code: 0,
      stdout: `out\n${fs.realpathSync(scratch)}\n`,
    });
    expect(await run("sh", ["-c", "echo no >&2; exit 7"])).toMatchObject({
      code: 7,
      stderr: "no\n",
    });
    expect((await run("no-such-program", [])).code).toBeUndefined();
  });

  test("connections", async () => {
    const server = http.createServer();
    const port = await listen(server);
    expect(await probe("127.0.0.1", port)).toBe("open");
    server.close();
    server.closeAllConnections();
    expect(await probe("127.0.0.1", port)).toBe("refused");
    expect(await probe("256.256.256.256", port)).toBe("silent");
  });

  test("versions", () => {
    expect([isAtLeast("v3.248.0", "3.200.0"), isAtLeast("3.9.0", "3.200.0")]).toEqual([
      true,
      false,
    ]);
    expect([isAtLeast("9", "8.4"), isAtLeast("8.4.0-rc1", "8.4")]).toEqual([true, true]);
    expect([isInRange("20.0.0", ">=20 <25"), isInRange("25.0.0", ">=20 <25")]).toEqual([
      true,
      false,
    ]);
    expect([isInRange("20.0.0", "^20"), isInRange("20.11.1", ">=20.12 <25")]).toEqual([
      true,
      false,
    ]);
  });
});

describe("the role", () => {
  const node = prodNode();

  test("script and page are up to date; npm run docs makes them so", () => {
    const textOf = (file: string): string =>
      fs.readFileSync(path.join(__dirname, "../..", file), "utf8");
    expect(renderScript()).toBe(textOf("commands/doctor/proxmox-role.sh"));
    expect(privilegesPage()).toBe(textOf("docs/reference/proxmox-privileges.md"));
  });

  test("no privilege is broader than its path, and none propagates from /", () => {
    for (const { path: at, propagate, privileges } of ROLES) {
      const prefix = at.startsWith("/vms")
        ? "VM."
        : /^\/(storage)?/.exec(at)?.[1]
          ? "Datastore."
          : "S";
      expect(privileges.every(({ name }) => name.startsWith(prefix))).toBe(true);
      if (prefix === "S") expect(propagate).toBe(false);
    }
  });

  test("is given on the paths a stack names, each once", () => {
    expect(
      listGrants([
        ["a", node],
        ["b", node],
      ]),
    ).toEqual([
      "--grant DockerNode /vms",
      "--grant DockerNodeImages /storage/local",
      "--grant DockerNodeDisks /storage/nvme-pool",
      "--grant DockerNodeHost /nodes/pve01",
      "--grant DockerNodeBridge /sdn/zones/localnetwork/vmbr0/20",
      "--grant DockerNodeCluster /",
      "--grant DockerNodeFirewall /",
      "--grant DockerNodeBackup /",
      "--grant DockerNodeBackupStorage /storage/pbs01",
    ]);
    const kept = { highAvailability: {}, replication: { target: "pve02" } };
    const more = listGrants([["c", prodNode({ machine: kept })]]);
    expect(more).toContain("--grant DockerNodeAvailability /");
    expect(more).toContain("--grant DockerNodeReplication /vms");
    const lan = { driver: "macvlan", parent: "eth0", vlan: 30, subnet: "10.25.30.0/24" };
    const networks = { lan: { ...lan, gateway: "10.25.30.1" } };
    expect(listGrants([["d", prodNode({ networks })]])).toContain(
      "--grant DockerNodeBridge /sdn/zones/localnetwork/vmbr0/30",
    );
    const untagged = prodNode({ network: { vlan: null }, networks });
    expect(listGrants([["e", untagged]]).filter((grant) => grant.includes("Bridge"))).toEqual([
      "--grant DockerNodeBridge /sdn/zones/localnetwork/vmbr0",
      "--grant DockerNodeBridge /sdn/zones/localnetwork/vmbr0/30",
    ]);
    const clone = prodNode({ machine: { image: { template: 9000 } } });
    expect(listGrants([["c", clone]])).toContain("--grant DockerNodeTemplate /vms/9000");
    expect(listGrants([["c", clone]]).join()).not.toContain("DockerNodeHost");
  });

  /** A directory with a `pveum` that has the given user and token, and writes down what it is told. */
  function fakePve(name: string, has: boolean): { env: NodeJS.ProcessEnv; log: string } {
    const bin = path.join(scratch, name);
    const log = path.join(bin, "log");
    fs.mkdirSync(bin);
    const list = has
      ? `case "$*" in "role list"*) echo '[{"roleid":"DockerNode"}]';;
         "user list"*) echo '[{"userid":"automation@pve"}]';;
         "user token list"*) echo '[{"tokenid":"pulumi"}]';; *) echo "$*" >>"${log}";; esac`
      : `case "$*" in *list*) echo '[]';; *) echo "$*" >>"${log}";; esac`;
    fs.writeFileSync(path.join(bin, "pveum"), `#!/bin/sh\n${list}\n`, { mode: 0o755 });
    fs.writeFileSync(log, "");
    return { env: { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` }, log };
  }

  function runScript(env: NodeJS.ProcessEnv, ...args: string[]): string {
    const input = scriptFor([["a", node]]);
    return execFileSync("bash", ["-s", "--", ...args], { env, input, stdio: "pipe" }).toString();
  }

  const did = (log: string): string[] => fs.readFileSync(log, "utf8").trim().split("\n");

  test("script: a node that has nothing yet", () => {
    const { env, log } = fakePve("fresh", false);
    runScript(env);
    const commands = did(log);
    expect(commands[0]).toMatch(
      /^role add DockerNode --privs VM\.Allocate VM\.Audit .*VM\.PowerMgmt$/,
    );
    expect(commands.filter((line) => line.startsWith("role add"))).toHaveLength(9);
    expect(commands.filter((line) => /^user/.test(line))).toEqual([
      "user add automation@pve --comment docker-node: automation, no login",
      "user token add automation@pve pulumi --privsep 1 --comment docker-node",
    ]);
    expect(commands.slice(-2)).toEqual([
      "acl modify /storage/pbs01 --users automation@pve --roles DockerNodeBackupStorage --propagate 0",
      "acl modify /storage/pbs01 --tokens automation@pve!pulumi --roles DockerNodeBackupStorage --propagate 0",
    ]);
    expect(commands.filter((line) => line.startsWith("acl"))).toHaveLength(18);
  });

  test("script: again, nothing is made twice; --rotate makes a new token", () => {
    const { env, log } = fakePve("again", true);
    runScript(env);
    const first = did(log);
    expect(first[0]).toMatch(/^role modify DockerNode --privs /);
    expect(first.filter((line) => /^user/.test(line))).toEqual([]);
    fs.writeFileSync(log, "");
    runScript(env, "--rotate");
    expect(did(log).filter((line) => /^user/.test(line))).toEqual([
      "user token remove automation@pve pulumi",
      "user token add automation@pve pulumi --privsep 1 --comment docker-node",
    ]);
  });

  test("script: --dry-run changes nothing", () => {
    const { env, log } = fakePve("dry", false);
    const said = runScript(env, "--dry-run", "--user", "robot@pve", "--token", "x");
    expect(fs.readFileSync(log, "utf8")).toBe("");
    expect(said).toContain("pveum acl modify /nodes/pve01 --tokens robot@pve\\!x");
    expect(() => runScript(env, "--nonsense")).toThrow("unknown argument: --nonsense");
    expect(() => runScript(env, "--grant", "Nobody", "/")).toThrow("unknown role: Nobody");
  });
});

describe("the command", () => {
  /** Stands in for the CLI: the stack's configuration, everything else fails. */
  function pulumi(config: unknown): void {
    const bin = fs.mkdtempSync(path.join(scratch, "cli-"));
    fs.writeFileSync(path.join(bin, "config.json"), JSON.stringify(config));
    const script = `#!/bin/sh\ncase "$1" in config) cat "${bin}/config.json";; *) exit 1;; esac\n`;
    fs.writeFileSync(path.join(bin, "pulumi"), script, { mode: 0o755 });
    const before = process.env["PATH"] ?? "";
    process.env["PATH"] = `${bin}:${before}`;
    closers.push(() => (process.env["PATH"] = before));
  }

  async function run(...args: string[]): Promise<{ code: number; text: string; said: string }> {
    let [text, said] = ["", ""];
    const print = (part: string): void => void (text += `${part}\n`);
    const warn = (part: string): void => void (said += `${part}\n`);
    return { code: await runCommandLine(["doctor", ...args], { print, warn }), text, said };
  }

  /** Everything loopback, so that nothing else is ever asked. */
  function config(endpoint: string): Record<string, unknown> {
    const { nodes } = stackFile("prod");
    const [node] = Object.values(nodes as Record<string, Record<string, unknown>>);
    const ssh = { ...(node?.ssh as object), privateKeyFile: path.join(scratch, UUID) };
    const { portainer, ...own } = { ...node, ssh } as Record<string, unknown>;
    expect(portainer).toBeDefined();
    return {
      "docker-node:proxmox": { objectValue: { endpoint } },
      "docker-node:nodes": { objectValue: { "proj-docker02": own } },
      "docker-node:proxmoxApiToken": { value: TOKEN, secret: true },
    };
  }

  test("fails, tells why, and keeps the token to itself", async () => {
    pulumi(config("https://127.0.0.1:1/"));
    const { code, text } = await run("--json");
    expect(code).toBe(3);
    expect(JSON.parse(text)).toMatchObject({ stack: "prod", ready: false });
    expect(text).toContain("[secret]"); // the key file is named as the secret, of all things
    expect(text).not.toContain(UUID);
    const shown = await run();
    expect(shown.text).toMatch(/✗ Proxmox VE API .*does not answer/);
    expect(shown.text).not.toContain(UUID);
  });

  test("prints the role only if the configuration is valid", async () => {
    pulumi(config("https://127.0.0.1:1/"));
    const { code, text } = await run("--print-role");
    expect(code).toBe(0);
    expect(text).toMatch(/^set -- --grant DockerNode \/vms .* "\$@"$/m);
    expect(text).not.toContain(UUID);
    pulumi({});
    const unsound = await run("--print-role");
    expect([unsound.code, unsound.text]).toEqual([1, ""]);
    expect(unsound.said).toMatch(/not valid:\nproxmox: missing/);
  });

  test("explains itself, and refuses what it does not know", async () => {
    expect(await run("--help")).toMatchObject({
      code: 0,
      text: expect.stringMatching(/Usage: npx docker-node doctor[^]*Example:\n {2}npx/) as unknown,
    });
    expect(await run("--nonsense")).toMatchObject({
      code: 2,
      said: "error: unknown option '--nonsense'\nHow to use it: npx docker-node doctor --help\n",
    });
  });
});
