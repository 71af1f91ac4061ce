/** Programs run on the workstation: one alone, or two with a pipe between them. Never through a shell. */
import { execFileSync, spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A program with its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** On top of this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of what it gets of this process's own environment; default: all. */
  readonly inherits?: readonly string[];
  /** Default: the current directory. */
  readonly cwd?: string;
  /** How to get the program if it is not installed. */
  readonly hint?: string;
  /** Milliseconds after which the program is ended; default: no limit. */
  readonly limitMs?: number;
}

/** The result of a program that has ended. */
export interface Ran {
  /** Undefined when the program is not there. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program. The result says how it ended; it never throws. */
export type Run = (program: string, args: readonly string[]) => Promise<Ran>;

/** A program failed. The message has the last line of its output. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

const LINES_KEPT = 12;
/** Milliseconds that a program may take to answer a question. */
const QUESTION_LIMIT_MS = 60_000;

/** Runs programs in a directory to ask them something. They cannot ask the user anything. */
export function makeRunner(cwd: string): Run {
  const env = { PULUMI_SKIP_UPDATE_CHECK: "true", PULUMI_NON_INTERACTIVE: "true" };
  return (program, args) => ask({ program, args, cwd, env, limitMs: QUESTION_LIMIT_MS });
}

/** Runs a program to its end. The result says how it ended. */
export async function ask(command: Command, stdin = ""): Promise<Ran> {
  const child = start(command, ["pipe", "pipe", "pipe"]);
  return collect(child, stdin);
}

/**
 * Runs a program with a text on its standard input, and returns its standard output. Ctrl-C does not reach it: what it
 * began on another machine would run on there, with nobody waiting for it.
 * @throws CommandFailed when it is not there or does not end with status 0
 */
export async function run(command: Command, stdin = ""): Promise<string> {
  const child = start(command, ["pipe", "pipe", "pipe"], true);
  const [{ stdout }] = await Promise.all([collect(child, stdin), succeed(command, child)]);
  return stdout;
}

/**
 * Runs a program whose output goes to the terminal.
 * @throws CommandFailed when it is not there or does not end with status 0
 */
export async function show(command: Command): Promise<void> {
  await succeed(command, start(command, ["ignore", "inherit", "inherit"]));
}

/**
 * Pipes the output of one program into another, and returns the standard output of the second.
 *
 * It uses a pipe of the operating system. Node's own pipes are sockets, and a program that opens `/dev/stdout` by name,
 * as the backup client does, gets ENXIO from a socket (unix(7)).
 * @throws CommandFailed with what both said, when either does not end with status 0
 */
export async function pipe(from: Command, to: Command): Promise<string> {
  const ends = makeSystemPipe();
  const source = start(from, ["ignore", ends.write, "pipe"]);
  const target = start(to, [ends.read, "pipe", "pipe"]);
  // Only the programs hold the ends now, so each sees when the other ends.
  closeSync(ends.read);
  closeSync(ends.write);
  const done = [succeed(from, source), succeed(to, target)] as const;
  const output = readText(target.stdout);
  const results = await Promise.allSettled(done);
  const failures = results.flatMap(({ status, ...rest }) =>
    status === "rejected" ? [(rest as { reason: Error }).reason.message] : [],
  );
  if (failures.length > 0) throw new CommandFailed(failures.join("\n"));
  return output;
}

function start(
  { program, args, env, inherits, cwd, limitMs }: Command,
  stdio: StdioOptions,
  detached = false,
): ChildProcess {
  // Not `timeout`: its timer outlives a program that does not start.
  const signal = limitMs === undefined ? undefined : AbortSignal.timeout(limitMs);
  const options = { stdio, detached, cwd, signal };
  return spawn(program, args, { ...options, env: { ...inheritedEnv(inherits), ...env } });
}

function inheritedEnv(names?: readonly string[]): NodeJS.ProcessEnv {
  if (!names) return process.env;
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** Delivers the text, and waits for the end. */
async function collect(child: ChildProcess, stdin: string): Promise<Ran> {
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin);
  const code = end(child);
  const [stdout, stderr] = await Promise.all([readText(child.stdout), readText(child.stderr)]);
  return { code: await code, stdout, stderr };
}

/** The exit status; undefined when there is no such program, 1 after a signal. */
function end(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    child.on("error", ({ code }: NodeJS.ErrnoException) => {
      resolve(code === "ENOENT" ? undefined : 1);
    });
    child.on("close", (code) => {
      resolve(code ?? 1);
    });
  });
}

/** Makes a pipe. Node has no pipe(2), so the pipe has a name in the file system for a moment. */
function makeSystemPipe(): { read: number; write: number } {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-pipe-"));
  try {
    const name = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", name]);
    // Opening one end alone would block until the other is opened.
    const first = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const write = openSync(name, constants.O_WRONLY);
    const read = openSync(name, constants.O_RDONLY);
    closeSync(first);
    return { read, write };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function readText(stream: ChildProcess["stdout"]): Promise<string> {
  const parts: Buffer[] = [];
  stream?.on("data", (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve) => stream?.on("close", resolve));
  return Buffer.concat(parts).toString();
}

function succeed({ program, hint }: Command, child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.on("data", (part: Buffer) => (said = (said + part.toString()).slice(-8192)));
  return new Promise((resolve, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      const missing = error.code === "ENOENT";
      const about = missing ? `is not installed here${hint ? `: ${hint}` : ""}` : error.message;
      reject(new CommandFailed(`${program} ${about}`));
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new CommandFailed(describeStatus(program, code ?? signal ?? "", said)));
    });
  });
}

function describeStatus(program: string, status: number | string, said: string): string {
  const name = program.split("/").at(-1) ?? program;
  const last = said.trim().split("\n").slice(-LINES_KEPT).join("\n");
  return `${name} ended with ${status}${last ? `: ${last}` : ""}`;
}
