/** What is told of a node that lets nobody in, while the command plugin dials. */
import * as pulumi from "@pulumi/pulumi";
import { tellRefusals } from "../../clients/pulumi/refusals";
import * as processes from "../../clients/process";
import { prodNode } from "../support/settings";

const NODE = "proj-docker02";
const DENIED = "ubuntu@10.25.20.24: Permission denied (publickey).\n";
const SILENT = "ssh: connect to host 10.25.20.24 port 22: Connection refused\n";
const UNREACHABLE = "ssh: connect to host 10.25.20.24 port 22: No route to host\n";
const said: string[] = [];
const informed: string[] = [];
const keys: string[] = [];

/** What ssh says of each attempt; the last one is said again. "" is success. */
function answer(...texts: string[]): void {
  jest.spyOn(processes, "ask").mockImplementation(({ args }) => {
    keys.push(args.join(" "));
    const stderr = (texts.length > 1 ? texts.shift() : texts[0]) ?? "";
    return Promise.resolve({ code: stderr === "" ? 0 : 255, stdout: "", stderr });
  });
}

const pass = (seconds: number): Promise<void> => jest.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask"] });
  jest.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(false);
  jest.spyOn(pulumi.log, "warn").mockImplementation((text) => {
    said.push(text);
    return Promise.resolve();
  });
  jest.spyOn(pulumi.log, "info").mockImplementation((text) => {
    informed.push(text);
    return Promise.resolve();
  });
  said.length = informed.length = keys.length = 0;
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const never = new Promise<string>(() => undefined);

test("it is told once, within a minute, and only if it stays", async () => {
  answer(DENIED, SILENT, DENIED);
  tellRefusals(NODE, prodNode(), undefined, never);
  await pass(75);
  expect(said).toEqual([]);
  await pass(300);
  expect(said).toEqual([`${NODE}: refuses the connection: 10.25.20.24: ${DENIED.trim()}`]);
  expect(keys[0]).toContain("StrictHostKeyChecking=no");
});

test("a declared host key is insisted on", async () => {
  answer("Host key verification failed.\n");
  const node = prodNode({ ssh: { hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJj+" } });
  tellRefusals(NODE, node, undefined, never);
  await pass(60);
  expect(said.join()).toContain("the machine at 10.25.20.24 has another host key");
  expect(keys[0]).toContain("StrictHostKeyChecking=yes");
});

test("why a node is not reached is told within a minute, each reason once, and it is no warning", async () => {
  answer(UNREACHABLE, UNREACHABLE, SILENT, UNREACHABLE, SILENT);
  tellRefusals(NODE, prodNode(), undefined, never);
  await pass(55);
  expect(informed).toEqual([`${NODE}: is not reached yet: 10.25.20.24: ${UNREACHABLE.trim()}`]);
  await pass(300);
  expect(informed.slice(1)).toEqual([`${NODE}: is not reached yet: 10.25.20.24: ${SILENT.trim()}`]);
  expect(said).toEqual([]);
});

test("a server that accepts and stays silent is told within a minute: the plugin waits for it without end", async () => {
  jest.spyOn(processes, "ask").mockImplementation(
    ({ limitMs = Infinity }) =>
      new Promise((resolve) => {
        setTimeout(() => {
          resolve({ code: 1, stdout: "", stderr: "" });
        }, limitMs);
      }),
  );
  tellRefusals(NODE, prodNode(), undefined, never);
  await pass(59);
  expect(informed).toEqual([`${NODE}: is not reached yet: 10.25.20.24: no answer within 15 s`]);
  expect(said).toEqual([]);
});

test.each([
  ["boots", SILENT, never],
  ["lets in", "", never],
  ["has been reached", DENIED, Promise.resolve("29.10.0")],
])("nobody is warned of a node that %s", async (_, text, reached) => {
  answer(text);
  tellRefusals(NODE, prodNode(), undefined, reached);
  await pass(0);
  await pass(600);
  expect(said).toEqual([]);
});

test("a preview asks nobody", async () => {
  answer(DENIED);
  jest.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(true);
  tellRefusals(NODE, prodNode(), undefined, never);
  await pass(600);
  expect(keys).toEqual([]);
});
