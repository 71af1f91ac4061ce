import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import type { EngineEvent, Stack, UpOptions } from "@pulumi/pulumi/automation";
import { loadSettings } from "../../config/load";
import { sshOptions } from "../../config/node";
import { readNodes } from "../../lab/lib/reach";
import type { Lab } from "../../lab/lib/services";
import { sharedConnection } from "../../lab/lib/ssh";
import { labConfig } from "../../lab/lib/config";
import { run } from "../../clients/process";

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

/** The Proxmox API as an administrator sees it. */
export class Proxmox {
  constructor(private readonly lab: Lab) {}

  get<T>(path: string): Promise<T> {
    return this.request("GET", path);
  }

  delete(path: string): Promise<unknown> {
    return this.request("DELETE", path);
  }

  put(path: string, body: Record<string, string>): Promise<unknown> {
    return this.request("PUT", path, new URLSearchParams(body).toString());
  }

  /** Sends parameters and waits for the task they start. */
  async run(
    path: string,
    parameters: Record<string, string | number> = {},
    method: "POST" | "PUT" = "POST",
  ): Promise<void> {
    const form = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters)) form.set(key, String(value));
    const upid = await this.request<string>(method, path, form.toString());
    const status = `/nodes/${upid.split(":")[1] ?? ""}/tasks/${encodeURIComponent(upid)}/status`;
    for (;;) {
      const task = await this.get<{ status: string; exitstatus?: string }>(status);
      if (task.status === "stopped" && /^(OK|WARNINGS: \d+)$/.test(task.exitstatus ?? "")) return;
      if (task.status === "stopped") throw new Error(`${path}: ${task.exitstatus ?? "failed"}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  private request<T>(method: string, path: string, body?: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const asked = httpsRequest(
        new URL(`/api2/json${path}`, this.lab.endpoint),
        {
          method,
          rejectUnauthorized: false,
          headers: {
            Authorization: `PVEAPIToken=${this.lab.apiToken}`,
            ...(body && { "Content-Type": "application/x-www-form-urlencoded" }),
          },
        },
        (answer) => {
          let text = "";
          answer.on("data", (data: Buffer) => (text += data.toString()));
          answer.on("end", () => {
            if (answer.statusCode === 200) resolve((JSON.parse(text) as { data: T }).data);
            else
              reject(
                new Error(`${path}: ${String(answer.statusCode)} ${answer.statusMessage ?? ""}`),
              );
          });
        },
      );
      asked.on("error", reject);
      asked.end(body);
    });
  }

  vm(id: number): Promise<Record<string, unknown>> {
    return this.get(`/nodes/pve01/qemu/${id}/config`);
  }

  async vmIds(): Promise<number[]> {
    const vms = await this.get<{ vmid: number }[]>("/nodes/pve01/qemu");
    return vms.map(({ vmid }) => vmid);
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
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
