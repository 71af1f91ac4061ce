import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { call, type Access } from "../../clients/proxmox";
import { openProxmox, type Proxmox } from "../../clients/proxmox-backups";

const UPID = "UPID:pve01:0001:0002:0003:qmrestore:2019:root@pam!x:";

let server: Server;
let proxmox: Proxmox;
let asked: string[];
/** Answers by method and path; a list is used up, its last one stays. */
let answers: Record<string, unknown[]>;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "recovery-"));
  const files = ["-keyout", join(folder, "key"), "-out", join(folder, "cert")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const args = ["req", "-x509", ...kind, ...files, "-subj", "/CN=pve01"];
  execFileSync("openssl", args, { stdio: "pipe" });
  const [key, cert] = ["key", "cert"].map((name) => readFileSync(join(folder, name)));
  rmSync(folder, { recursive: true });
  server = createServer({ key, cert }, (request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => (body += data.toString()));
    request.on("end", () => {
      const what = `${request.method ?? ""} ${decodeURIComponent(request.url ?? "").replace("/api2/json", "")}`;
      asked.push(body ? `${what} ${decodeURIComponent(body)}` : what);
      const list = answers[what] ?? [];
      const data = list.length > 1 ? list.shift() : list[0];
      response.writeHead(data === undefined ? 501 : 200).end(JSON.stringify({ data }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  asked = [];
  answers = {};
  proxmox = openProxmox(access(), "pve01", 1);
});

const access = (): Access => ({
  endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
  insecure: true,
  apiToken: "a@pve!b=c",
});

const TASK = `GET /nodes/pve01/tasks/${UPID}/status`;

test.each([
  ["POST", "/x a=1&b=2"],
  ["PUT", "/x a=1&b=2"],
  ["GET", "/x?a=1&b=2"],
  ["DELETE", "/x?a=1&b=2"],
] as const)("%s has its parameters where a request of its kind has them", async (method, sent) => {
  for (const path of ["/x", "/x?a=1&b=2"]) answers[`${method} ${path}`] = ["done"];
  expect(await call(access(), method, "/x", { a: 1, b: "2" })).toBe("done");
  expect(asked).toEqual([`${method} ${sent}`]);
});

test("backups of one VM, the newest first", async () => {
  answers["GET /nodes/pve01/storage/pbs01/content?content=backup&vmid=2019"] = [
    [
      { volid: "pbs01:backup/vm/2019/a", ctime: 100, vmid: 2019 },
      { volid: "pbs01:backup/vm/2019/b", ctime: 200, vmid: "2019" },
      { volid: "pbs01:backup/vm/2014/c", ctime: 300, vmid: 2014 },
    ],
  ];
  expect(await proxmox.backups("pbs01", 2019)).toEqual([
    { volume: "pbs01:backup/vm/2019/b", takenAt: new Date(200_000) },
    { volume: "pbs01:backup/vm/2019/a", takenAt: new Date(100_000) },
  ]);
});

describe("a list without backups", () => {
  const may = (path: string, ...privileges: string[]): void => {
    const held = Object.fromEntries(privileges.map((name) => [name, 1]));
    answers[`GET /access/permissions?path=${path}`] = [{ [path]: held }];
  };
  beforeEach(() => {
    answers["GET /nodes/pve01/storage/pbs01/content?content=backup&vmid=2019"] = [[]];
    may("/vms/2019");
  });

  test("counts as no backups if the token may see them", async () => {
    may("/storage/pbs01", "Datastore.Allocate", "Datastore.Audit");
    expect(await proxmox.backups("pbs01", 2019)).toEqual([]);
    may("/storage/pbs01", "Datastore.AllocateSpace");
    may("/vms/2019", "VM.Backup");
    expect(await proxmox.backups("pbs01", 2019)).toEqual([]);
  });

  test("is an error for a token that may not see them, and names the missing privileges", async () => {
    may("/storage/pbs01", "Datastore.Audit");
    await expect(proxmox.backups("pbs01", 2019)).rejects.toThrow(
      "the token sees no backups in pbs01: it lacks Datastore.Allocate on /storage/pbs01, or Datastore.AllocateSpace there and VM.Backup on /vms/2019",
    );
  });
});

test("how many backups may be protected: what the storage says, else five, or any number by right", async () => {
  const path = "/storage/pbs01";
  const limit = (storage: object, ...privileges: string[]): Promise<number> => {
    answers["GET /storage"] = [[{ storage: "pbs01", ...storage }]];
    const held = Object.fromEntries(privileges.map((name) => [name, 1]));
    answers[`GET /access/permissions?path=${path}`] = [{ [path]: held }];
    return proxmox.protectedLimit("pbs01");
  };
  expect(await limit({ "max-protected-backups": 9 })).toBe(9);
  expect(await limit({ "max-protected-backups": "-1" })).toBe(Infinity);
  expect(await limit({}, "Datastore.Audit")).toBe(5);
  expect(await limit({}, "Datastore.Allocate")).toBe(Infinity);
});

test("a VM on whichever node it is, or none", async () => {
  answers["GET /cluster/resources?type=vm"] = [
    [{ type: "qemu", vmid: 2019, node: "pve02", status: "running" }],
  ];
  answers["GET /nodes/pve02/qemu/2019/config"] = [{ protection: "1", lock: "backup" }];
  expect(await proxmox.guest(2019)).toEqual({
    node: "pve02",
    running: true,
    protection: true,
    lock: "backup",
  });
  expect(await proxmox.guest(2014)).toBeUndefined();
});

test("a restore ends when its task ends", async () => {
  answers["POST /nodes/pve01/qemu"] = [UPID];
  answers[TASK] = [{ status: "running" }, { status: "stopped", exitstatus: "OK" }];
  await proxmox.restore(2019, "pbs01:backup/vm/2019/b", true);
  expect(asked).toEqual([
    "POST /nodes/pve01/qemu vmid=2019&archive=pbs01:backup/vm/2019/b&force=1",
    TASK,
    TASK,
  ]);
});

test("a task with warnings is done, and says where they are", async () => {
  answers["POST /nodes/pve01/qemu"] = [UPID];
  answers[TASK] = [{ status: "stopped", exitstatus: "WARNINGS: 2" }];
  expect(await proxmox.restore(2019, "pbs01:backup/vm/2019/b", true)).toBe(
    `done, with WARNINGS: 2 (pvenode task log ${UPID})`,
  );
});

test.each(["WARNINGS", "unexpected status", "interrupted by signal"])(
  "a task that ended with %j failed",
  async (exitstatus) => {
    answers["POST /nodes/pve01/qemu"] = [UPID];
    answers[TASK] = [{ status: "stopped", exitstatus }];
    await expect(proxmox.restore(2019, "b", false)).rejects.toThrow(`task ${UPID}: ${exitstatus}`);
  },
);

test("a task that failed says why", async () => {
  answers["POST /nodes/pve01/vzdump"] = [UPID];
  answers[TASK] = [{ status: "stopped", exitstatus: "job errors" }];
  await expect(proxmox.backUp(2019, "pbs01", "before")).rejects.toThrow(`task ${UPID}: job errors`);
  expect(asked[0]).toBe(
    "POST /nodes/pve01/vzdump vmid=2019&storage=pbs01&mode=stop&remove=0&protected=1&notes-template=before",
  );
});

test("an order that is refused is not waited for", async () => {
  await expect(proxmox.start(2019)).rejects.toMatchObject({ status: 501 });
  expect(asked).toEqual(["POST /nodes/pve01/qemu/2019/status/start"]);
});

test("power and removal", async () => {
  answers[TASK] = [{ status: "stopped", exitstatus: "OK" }];
  answers["POST /nodes/pve01/qemu/2019/status/shutdown"] = [UPID];
  answers["DELETE /nodes/pve01/qemu/2019"] = [UPID];
  await proxmox.shutDown(2019);
  await proxmox.remove(2019);
  expect(asked.filter((line) => line !== TASK)).toEqual([
    "POST /nodes/pve01/qemu/2019/status/shutdown timeout=180&forceStop=1",
    "DELETE /nodes/pve01/qemu/2019",
  ]);
});

/** What the tasks of a VM under high availability are called. */
const managed = (kind: string): string => UPID.replace("qmrestore", kind);

test.each([
  ["shutDown", "hastop", "running", "stopped"],
  ["start", "hastart", "stopped", "running"],
] as const)(
  "%s waits for the manager of high availability, whose task ends before",
  async (act, kind, before, after) => {
    const action = act === "start" ? "start" : "shutdown";
    const listed = (status: string): object[] => [
      { type: "qemu", vmid: 2019, node: "pve02", status },
    ];
    answers[`POST /nodes/pve01/qemu/2019/status/${action}`] = [managed(kind)];
    answers[TASK.replace(UPID, managed(kind))] = [{ status: "stopped", exitstatus: "OK" }];
    answers["GET /cluster/resources?type=vm"] = [listed(before), listed(before), listed(after)];
    await proxmox[act](2019);
    expect(asked.filter((line) => line === "GET /cluster/resources?type=vm")).toHaveLength(3);
  },
);
