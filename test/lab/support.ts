import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import type { EngineEvent, Stack, UpOptions } from "@pulumi/pulumi/automation";
import { z } from "zod";
import { poll } from "../../clients/poll";
import { run } from "../../clients/process";
import { ask, call, type Access } from "../../clients/proxmox";
import { guestConfig } from "../../clients/proxmox-answers";
import { waitForTask } from "../../clients/proxmox-backups";
import { loadSettings } from "../../config/load";
import { sshOptions } from "../../config/node";
import { readNodes } from "../../lab/lib/reach";
import type { Lab } from "../../lab/lib/services";
import { sharedConnection } from "../../lab/lib/ssh";
import { labConfig } from "../../lab/lib/config";

/** Lines of progress go to standard error, beside jest's own output. */
export const log = (line: string): void => {
  process.stderr.write(`  ${line}\n`);
};

/** What Pulumi says it will do, or did: operation by logical name. */
export class Steps {
  readonly operations: Record<string, string> = {};
  readonly diffs: string[] = [];
  /** What the program or a provider warned of. */
  readonly warnings: string[] = [];

  readonly onEvent = (event: EngineEvent): void => {
    const { severity, message = "" } = event.diagnosticEvent ?? {};
    if (severity === "warning") this.warnings.push(message);
    const step = event.resourcePreEvent?.metadata;
    if (!step || step.type === "pulumi:pulumi:Stack") return;
    const key = `${step.type}  ${step.urn.split("::").at(-1) ?? ""}`;
    this.operations[key] = step.op;
    if (step.op !== "same") this.diffs.push(`${step.op} ${key}: ${(step.diffs ?? []).join(", ")}`);
  };

  /** Names of the resources with this operation, sorted. */
  with(operation: string): string[] {
    const found = Object.entries(this.operations).filter(([, op]) => op === operation);
    return found.map(([key]) => key.split("  ")[1] ?? "").sort();
  }
}

/** Keeps what pulumi prints to itself. */
export const quiet = { onOutput: (): void => undefined };

/** Brings a stack up; what pulumi did. Whoever gives `onEvent` hears of each event, too. */
export async function upSteps(stack: Stack, options: UpOptions = {}): Promise<Steps> {
  const steps = new Steps();
  const onEvent = (event: EngineEvent): void => {
    steps.onEvent(event);
    options.onEvent?.(event);
  };
  await stack.up({ ...quiet, ...options, onEvent });
  return steps;
}

/** Runs a program to its end, its output on standard error; its exit status. */
export function statusOfCommand(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ["ignore", 2, 2] });
    child.on("error", reject);
    child.on("close", (code) => {
      resolve(code ?? -1);
    });
  });
}

/** The node as a person sees it: a shell by ssh. `node`: its name in the lab's stack, or a VM's id. */
export class Shell {
  constructor(
    private readonly lab: Lab,
    private readonly node: string | number,
    private readonly hostKey: string,
  ) {}

  /** Runs a script as root; standard output, trimmed. */
  async root(script: string): Promise<string> {
    const { forwards, credentials } = this.lab;
    const port = forwards[String(this.vmId())]?.ssh;
    if (!port) throw new Error(`no node ${this.node}`);
    const pinned = sshOptions({ ssh: credentials }, this.hostKey);
    const options = [...pinned, ...sharedConnection(this.lab.instance)];
    const target = [...options, "-p", String(port), "ubuntu@127.0.0.1"];
    const args = [...target, "sudo -n bash -eu"];
    return (await run({ program: "ssh", args }, script)).trim();
  }

  private vmId(): number | undefined {
    if (typeof this.node === "number") return this.node;
    return loadSettings(labConfig(this.lab) as never).nodes[this.node]?.machine.vmId;
  }

  /** Pulls the lab's busybox, and names it `busybox:lab`. */
  async pullBusybox(): Promise<void> {
    const { repository, digest } = this.lab.images.busybox;
    const image = `10.25.20.5:5000/${repository}@${digest}`;
    await this.root(`docker pull -q ${image} >/dev/null; docker tag ${image} busybox:lab`);
  }

  /** A Go template over `docker info`, decoded as JSON. */
  async dockerInfo<T>(template = "."): Promise<T> {
    return JSON.parse(await this.root(`docker info --format '{{json ${template}}}'`)) as T;
  }

  async inspect<T>(what: string): Promise<T> {
    const [found] = JSON.parse(await this.root(`docker inspect ${what}`)) as [T];
    return found;
  }
}

/** A shell to a node of the stack, by the host key of the stack's outputs. */
export async function shellTo(lab: Lab, stack: Stack, node: string): Promise<Shell> {
  const found = (await readNodes(stack))[node];
  if (!found) throw new Error(`the stack's outputs have no node ${node}`);
  return new Shell(lab, node, found.hostKey);
}

type Form = Readonly<Record<string, string | number>>;

const listedVms = z.array(z.looseObject({ vmid: z.coerce.number() }));

/** Sends parameters to the Proxmox API, and waits for the task that they start, if they start one. */
export async function order(
  access: Access,
  method: "POST" | "PUT" | "DELETE",
  path: string,
  parameters: Form,
): Promise<void> {
  const answer = await call(access, method, path, parameters);
  const get = (asked: string): Promise<unknown> => call(access, "GET", asked);
  if (String(answer).startsWith("UPID:")) await waitForTask(get, String(answer), 500);
}

/** The Proxmox API as an administrator sees it. */
export class Proxmox {
  private readonly access: Access;

  constructor({ endpoint, apiToken }: Lab) {
    this.access = { endpoint, apiToken, insecure: true, timeoutMs: 60_000 };
  }

  readonly get = (path: string): Promise<unknown> => call(this.access, "GET", path);

  /** What a path answers, if it has this shape. */
  read<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> {
    return ask(this.get, path, schema);
  }

  delete(path: string): Promise<unknown> {
    return call(this.access, "DELETE", path);
  }

  put(path: string, parameters: Form): Promise<unknown> {
    return call(this.access, "PUT", path, parameters);
  }

  /** Sends parameters and waits for the task they start. */
  async run(path: string, parameters: Form = {}, method: "POST" | "PUT" = "POST"): Promise<void> {
    await order(this.access, method, path, parameters);
  }

  vm(id: number): Promise<z.output<typeof guestConfig>> {
    return this.read(`/nodes/pve01/qemu/${id}/config`, guestConfig);
  }

  async vmIds(): Promise<number[]> {
    return (await this.read("/nodes/pve01/qemu", listedVms)).map(({ vmid }) => vmid);
  }
}

/** Status of an HTTPS GET; the certificate is the agent's own. */
export function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(url, { rejectUnauthorized: false, timeout: 30_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** SHA-256 fingerprint of the certificate served on a loopback port. */
export function fingerprintOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, rejectUnauthorized: false, timeout: 30_000 };
    const socket = connect(options, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
    socket.on("error", reject);
  });
}

/** Command lines of processes that mention a text, this one left out. */
export function processesWith(text: string): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      const file = `/proc/${pid}/cmdline`;
      const line = existsSync(file) ? readQuietly(file).replaceAll("\0", " ") : "";
      return line.includes(text) ? [`${pid} ${line}`] : [];
    });
}

/** Whether a process is this one, or was started by it or by what it has started. */
export function isOurs(pid: number): boolean {
  if (pid <= 1 || pid === process.pid) return pid === process.pid;
  const [, parent = "0"] = /^PPid:\s*(\d+)/m.exec(readQuietly(`/proc/${pid}/status`)) ?? [];
  return isOurs(Number(parent));
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** All files of the state backend, as they lie on disk; exporting a stack would decrypt it. */
export function stateFiles(stateDir: string): string {
  const root = join(stateDir, "pulumi");
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

/** Asks every second until the answer is yes. */
export async function waitFor(condition: () => Promise<boolean>, seconds = 300): Promise<void> {
  const look = async (): Promise<true | undefined> =>
    (await condition().catch(() => false)) || undefined;
  if (!(await poll({ everyMs: 1000, limitMs: seconds * 1000 }, look)))
    throw new Error(`not within ${seconds} s`);
}
