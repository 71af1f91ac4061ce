/**
 * The lab's long-running services. They are started detached and found again by a record in the state directory. One is
 * stopped only if its process is still the one that was started.
 */
import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { poll } from "../../clients/poll";
import {
  groupMembers,
  isOurs,
  processIdentity,
  signalGroup,
  type ProcessIdentity,
} from "./process";

export type Log = (message: string) => void;

/** A running service. */
export interface Service {
  port: number;
  pid: number;
}

export interface ServiceSpec {
  /** Names the log and the record: `<stateDir>/<name>.log`, `<stateDir>/<name>.pid`. */
  name: string;
  command: string;
  args: string[];
  /** Added to this process's environment. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  stateDir: string;
  /** Port of the service. The record keeps it; nothing checks it. */
  port?: number;
  /** Called until it returns true. An exception counts as "not yet". */
  ready: () => Promise<boolean>;
  /** Milliseconds that `ready` may take; default: 30 000. */
  timeoutMs?: number;
}

/** Content of the `.pid` file. */
type ServiceRecord = ProcessIdentity & { port: number };

const recordFile = (stateDir: string, name: string): string => path.join(stateDir, `${name}.pid`);
const logFile = (stateDir: string, name: string): string => path.join(stateDir, `${name}.log`);

/** The record a service left, if it can be read. It may be stale. */
function readRecord(stateDir: string, name: string): ServiceRecord | undefined {
  try {
    const record = JSON.parse(
      fs.readFileSync(recordFile(stateDir, name), "utf8"),
    ) as Partial<ServiceRecord>;
    return Number.isInteger(record.pid) ? (record as ServiceRecord) : undefined;
  } catch {
    return undefined;
  }
}

function writeRecord(spec: ServiceSpec, pid: number): void {
  const identity = processIdentity(pid);
  if (!identity) return; // it has exited already, and the caller will notice
  const file = recordFile(spec.stateDir, spec.name);
  fs.writeFileSync(`${file}.new`, `${JSON.stringify({ ...identity, port: spec.port ?? 0 })}\n`);
  fs.renameSync(`${file}.new`, file);
}

/** Returns the running service. Undefined if its process has ended. */
export function runningService(stateDir: string, name: string): Service | undefined {
  const record = readRecord(stateDir, name);
  return record && isOurs(record) ? { pid: record.pid, port: record.port } : undefined;
}

/** The end of a service's log, for error messages. */
function logTail(stateDir: string, name: string): string {
  const text = fs.readFileSync(logFile(stateDir, name), "utf8").trimEnd();
  return text.split("\n").slice(-12).join("\n");
}

/** Starts the process in a session of its own, its output appended to the log. */
function launch(spec: ServiceSpec): ChildProcess {
  const output = fs.openSync(logFile(spec.stateDir, spec.name), "a", 0o600);
  try {
    return spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...process.env, ...spec.env },
      stdio: ["ignore", output, output],
      detached: true,
    });
  } finally {
    fs.closeSync(output);
  }
}

/** Resolves when the service answers; throws when it exits first or takes too long. */
async function becomeReady(spec: ServiceSpec, child: ChildProcess): Promise<void> {
  const timeoutMs = spec.timeoutMs ?? 30_000;
  let failure = "";
  child.once("error", (error) => {
    failure = error.message;
  });
  child.once("exit", (code, signal) => {
    failure ||= `exited (${signal ?? String(code)})`;
  });
  const answered = await poll({ everyMs: 100, limitMs: timeoutMs }, async () => {
    const ready = await spec.ready().catch(() => false);
    if (failure) throw new Error(`${spec.name}: ${failure}\n${logTail(spec.stateDir, spec.name)}`);
    return ready || undefined;
  });
  if (answered) return;
  const tail = logTail(spec.stateDir, spec.name);
  throw new Error(`${spec.name}: no answer within ${timeoutMs / 1000} s\n${tail}`);
}

/**
 * Starts a service and waits until it answers, or returns the one that runs already. The service keeps running after this
 * process ends; `stopService` ends it. If it does not start, only its log stays.
 */
export async function startService(spec: ServiceSpec, log: Log): Promise<Service> {
  const running = runningService(spec.stateDir, spec.name);
  if (running && (await spec.ready().catch(() => false))) return running;
  await stopService(spec.stateDir, spec.name);
  fs.mkdirSync(spec.stateDir, { recursive: true });
  const child = launch(spec);
  if (child.pid) writeRecord(spec, child.pid);
  try {
    await becomeReady(spec, child);
    const pid = child.pid as number;
    writeRecord(spec, pid); // once more: a wrapper may have replaced itself by the real program
    log(`${spec.name}: process ${pid}${spec.port ? `, port ${spec.port}` : ""}`);
    return { pid, port: spec.port ?? 0 };
  } catch (error) {
    await stopService(spec.stateDir, spec.name);
    throw error;
  } finally {
    child.removeAllListeners();
    child.unref();
  }
}

/** Waits until no process of the group is left. Returns whether that happened in time. */
async function waitForGroup(pid: number, timeoutMs: number): Promise<boolean> {
  const ended = await poll({ everyMs: 50, limitMs: timeoutMs }, () =>
    Promise.resolve(groupMembers(pid).length === 0 || undefined),
  );
  return ended ?? false;
}

/**
 * Stops a service and its process group, first by SIGTERM, then by force. It removes the record only if the process is gone
 * or its number belongs to another one now.
 */
export async function stopService(stateDir: string, name: string, graceMs = 10_000): Promise<void> {
  const record = readRecord(stateDir, name);
  if (record && isOurs(record)) {
    signalGroup(record.pid, "SIGTERM");
    if (!(await waitForGroup(record.pid, graceMs))) signalGroup(record.pid, "SIGKILL");
    if (!(await waitForGroup(record.pid, 5_000))) {
      throw new Error(`${name}: process ${record.pid} cannot be ended`);
    }
  }
  fs.rmSync(recordFile(stateDir, name), { force: true });
}
