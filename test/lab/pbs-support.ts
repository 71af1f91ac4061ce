import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { newKeyFile } from "../../lab/lib/instance";
import { changePbs, pbsEnv, startPbsServer, stopPbs, type PbsServer } from "../../lab/lib/pbs";
import { type PbsLogin, type PbsSettings } from "../../lab/lib/pbs-settings";
import { log } from "./support";

export interface Ran {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** The longest that a program may run, in ms: one that is left behind would keep Jest from ending. */
const LIMIT = 120_000;

/** Starts a program; `done` resolves with all it said, however it ends. */
export function start(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
  input: string | Buffer = "",
): { child: ChildProcess; done: Promise<Ran> } {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, ...env },
    timeout: LIMIT,
    killSignal: "SIGKILL",
  });
  const [out, err]: Buffer[][] = [[], []];
  child.stdout.on("data", (data: Buffer) => out?.push(data));
  child.stderr.on("data", (data: Buffer) => err?.push(data));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const text = (parts: Buffer[] = []): string => Buffer.concat(parts).toString("latin1");
  const done = new Promise<Ran>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, out: text(out), err: text(err) });
    });
  });
  return { child, done };
}

export const execute = (...args: Parameters<typeof start>): Promise<Ran> => start(...args).done;

const TREES = path.join(__dirname, "trees.py");

export interface TreeEntry {
  path: string;
  kind: "dir" | "file" | "symlink" | "hardlink" | "fifo";
  mode?: number;
  uid?: number;
  gid?: number;
  /** Nanoseconds. */
  mtime?: number;
  data?: string;
  times?: number;
  size?: number;
  target?: string;
  xattrs?: Record<string, string>;
}

export async function makeTree(root: string, entries: TreeEntry[]): Promise<void> {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const whole = entries.map((e) => ({ mode: 0o755, uid, gid, mtime: 1_700_000_000e9, ...e }));
  const made = await execute("python3", [TREES, "make", root], {}, JSON.stringify(whole));
  if (made.code !== 0) throw new Error(made.err);
}

export async function tellTree(root: string): Promise<Record<string, unknown>> {
  const told = await execute("python3", [TREES, "tell", root]);
  if (told.code !== 0) throw new Error(told.err);
  return JSON.parse(told.out) as Record<string, unknown>;
}

export const LOGINS = {
  node1: { id: "backup@pbs!node1", secret: "secret-1" },
  node2: { id: "backup@pbs!node2", secret: "secret-2" },
  restore: { id: "restore@pbs!me", secret: "secret-3" },
  power: { id: "power@pbs!me", secret: "secret-4" },
  stranger: { id: "stranger@pbs!me", secret: "secret-5" },
  admin: { id: "root@pam", secret: "root-password" },
} as const;

/** A server of its own for a test file, with a directory for everything else. */
export class Bench {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), "docker-node-pbs-"));
  readonly keyFile = path.join(this.directory, "key.json");
  server!: PbsServer;
  private counter = 0;

  async start(): Promise<this> {
    fs.writeFileSync(this.keyFile, newKeyFile(), { mode: 0o600 });
    this.server = await startPbsServer({ stateDir: this.stateDir, settings: settings }, log);
    return this;
  }

  get stateDir(): string {
    return path.join(this.directory, "state");
  }

  get store(): string {
    return path.join(this.stateDir, "pbs", "store");
  }

  get log(): string {
    return fs.readFileSync(path.join(this.stateDir, "pbs.log"), "utf8");
  }

  async stop(): Promise<void> {
    await stopPbs(this.stateDir);
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  change(change: (settings: PbsSettings) => void): void {
    changePbs(this.server.settingsFile, change);
  }

  /** A path nothing is at yet. */
  fresh(name = "x"): string {
    this.counter += 1;
    return path.join(this.directory, `${name}-${this.counter}`);
  }

  env(login: PbsLogin = LOGINS.node1, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { ...pbsEnv(this.server, login, "store"), HOME: this.directory, ...more };
  }

  program(name: string): string {
    return path.join(this.server.clientDir, name);
  }

  run(args: string[], login?: PbsLogin, more?: NodeJS.ProcessEnv): Promise<Ran> {
    return execute(this.program("proxmox-backup-client"), args, this.env(login, more));
  }

  /** Runs what must succeed. */
  async ok(args: string[], login?: PbsLogin, more?: NodeJS.ProcessEnv): Promise<Ran> {
    const ran = await this.run(args, login, more);
    if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${String(ran.code)}\n${ran.err}`);
    return ran;
  }

  async json<T>(args: string[], login?: PbsLogin): Promise<T> {
    return JSON.parse((await this.ok([...args, "--output-format", "json"], login)).out) as T;
  }

  /** A directory with one file. */
  folder(content: string | Buffer = "content"): string {
    const at = this.fresh("folder");
    fs.mkdirSync(at);
    fs.writeFileSync(path.join(at, "file"), content);
    return at;
  }

  chunks(): string[] {
    const root = path.join(this.store, ".chunks");
    return fs
      .readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  }
}

function settings(root: string, port: number): PbsSettings {
  const { admin, ...tokens } = LOGINS;
  const users = Object.values(tokens).map(({ id }) => id.split("!")[0] ?? "");
  const both = (at: string, id: string, role: string): PbsSettings["acl"] =>
    [id, id.split("!")[0] ?? ""].map((auth) => ({ path: at, auth, role }));
  return {
    listen: `127.0.0.1:${port}`,
    state: root,
    ready: path.join(root, "ready.json"),
    datastores: [
      {
        name: "store",
        path: path.join(root, "store"),
        namespaces: ["node1/volumes", "node2/volumes"],
      },
    ],
    users: [admin, ...[...new Set(users)].map((id) => ({ id }))],
    tokens: Object.values(tokens),
    acl: [
      ...both("/datastore/store/node1", LOGINS.node1.id, "DatastoreBackup"),
      ...both("/datastore/store/node2", LOGINS.node2.id, "DatastoreBackup"),
      ...both("/datastore/store", LOGINS.restore.id, "DatastoreReader"),
      ...both("/datastore/store", LOGINS.power.id, "DatastorePowerUser"),
    ],
  };
}
