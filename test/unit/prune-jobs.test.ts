import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPruneJobs } from "../../clients/prune-jobs";
import { retentionChecks } from "../../commands/doctor/checks/retention";
import type { Context, Finding } from "../../commands/doctor/types";
import { prodNode } from "../support/settings";

let server: Server;
let fingerprint: string;
let asked: string[];
let answer: { status: number; text: string };

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "prune-jobs-"));
  const files = ["-keyout", join(folder, "key"), "-out", join(folder, "cert")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...files, "-subj", "/CN=pbs01"], {
    stdio: "pipe",
  });
  const [key = "", cert = ""] = ["key", "cert"].map((name) =>
    readFileSync(join(folder, name), "utf8"),
  );
  rmSync(folder, { recursive: true });
  fingerprint = new X509Certificate(cert).fingerprint256;
  server = createServer({ key, cert }, (request, response) => {
    asked.push(`${request.url ?? ""} ${request.headers.authorization ?? ""}`);
    response.writeHead(answer.status).end(answer.text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  asked = [];
});

const read = (more: object = {}): ReturnType<typeof readPruneJobs> =>
  readPruneJobs({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    datastore: "docker",
    fingerprint: fingerprint.toLowerCase(),
    tokenId: "restore@pbs!w",
    token: "a b",
    keyfile: "/key",
    ...more,
  });

test("jobs as the server has them, for the restore token", async () => {
  const job = { id: "n-volumes", store: "docker", ns: "n/volumes", "keep-daily": 30 };
  answer = { status: 200, text: JSON.stringify({ data: [job] }) };
  expect(await read()).toEqual([job]);
  expect(asked).toEqual(["/api2/json/config/prune PBSAPIToken=restore@pbs!w:a%20b"]);
});

test("a refusal says why", async () => {
  answer = { status: 401, text: "authentication failed - invalid credentials\n" };
  await expect(read()).rejects.toThrow(/^authentication failed - invalid credentials$/);
});

test("another certificate is told, and the token is not sent", async () => {
  const other = Array(32).fill("ab").join(":");
  await expect(read({ fingerprint: other })).rejects.toThrow(
    "its certificate does not have the declared fingerprint",
  );
  expect(asked).toEqual([]);
});

test("a server that is not there", async () => {
  await expect(read({ port: 1 })).rejects.toThrow("ECONNREFUSED");
});

describe("the doctor", () => {
  const CREDENTIALS = {
    PBS_RESTORE_TOKEN_ID: "restore@pbs!w",
    PBS_RESTORE_TOKEN: "a b",
    PBS_RESTORE_KEYFILE: "/key",
  };

  async function look(
    environment: NodeJS.ProcessEnv,
    keepDays = 30,
    vm: object = {},
  ): Promise<Finding> {
    const { port } = server.address() as AddressInfo;
    const endpoint = { host: "127.0.0.1", port };
    const backups = { server: { endpoint, fingerprint }, volumes: { keepDays }, vm };
    const node = prodNode({ backups });
    const { address = "" } = node.backups?.server ?? {};
    const backupStorage = { id: "pbs01", server: address, datastore: "vms" };
    const settings = { nodes: { n: node }, proxmox: { backupStorage } };
    const context = { environment, configuration: { settings } } as unknown as Context;
    const [check] = retentionChecks(context);
    if (!check) throw new Error("no check");
    return check.run(context);
  }
  const ALL = ["volumes", "configuration", "images"].map((kind, index) => ({
    ...{ id: `n-${kind}`, store: "docker", ns: `n/${kind}` },
    ...[{ "keep-daily": 30 }, { "keep-daily": 90 }, { "keep-weekly": 4 }][index],
  }));

  beforeEach(() => {
    answer = { status: 200, text: JSON.stringify({ data: ALL }) };
  });

  test("shows what is kept as declared, and what is not", async () => {
    expect(await look(CREDENTIALS)).toMatchObject({
      status: "pass",
      detail: "volumes: keep-daily 30; configuration: keep-daily 90; images: keep-weekly 4",
    });
    expect(await look(CREDENTIALS, 14)).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(
        /^volumes: prune job n-volumes has keep-daily 30, keep-daily 14/,
      ) as string,
      fix: "npx docker-node backups --server",
    });
    answer = { status: 200, text: JSON.stringify({ data: [] }) };
    expect(await look(CREDENTIALS)).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/no prune job.*\n.*no prune job.*\n.*no prune job/) as string,
    });
  });

  test("looks at the VM's prune job too, where the server prunes", async () => {
    const prunedBy = { prunedBy: "server" };
    expect(await look(CREDENTIALS, 30, prunedBy)).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/^vm: no prune job that the restore token sees, /) as string,
    });
    const job = { id: "docker-node-vm", store: "vms", "max-depth": 0, "keep-daily": 30 };
    answer = { status: 200, text: JSON.stringify({ data: [...ALL, job] }) };
    expect(await look(CREDENTIALS, 30, prunedBy)).toMatchObject({
      status: "pass",
      detail: expect.stringMatching(/; vm: keep-daily 30$/) as string,
    });
  });

  test("warns where nobody sees that job, unless something else is kept otherwise", async () => {
    const prunedBy = { prunedBy: "server", storage: "pbs02" };
    expect(await look(CREDENTIALS, 30, prunedBy)).toMatchObject({
      status: "warn",
      detail: expect.stringMatching(
        /^nobody sees whether keep-daily 30 is applied: pbs02/,
      ) as string,
    });
    expect(await look(CREDENTIALS, 14, prunedBy)).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/^volumes: prune job n-volumes has keep-daily 30/) as string,
    });
  });

  test("asks nobody without the restore token, and says why there is no answer", async () => {
    expect(await look({})).toMatchObject({ status: "skip" });
    expect(asked).toEqual([]);
    const { PBS_RESTORE_TOKEN_ID } = CREDENTIALS;
    expect(await look({ PBS_RESTORE_TOKEN_ID })).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("PBS_RESTORE_KEYFILE") as string,
    });
    answer = { status: 401, text: "authentication failed" };
    expect(await look(CREDENTIALS)).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("authentication failed") as string,
    });
  });
});
