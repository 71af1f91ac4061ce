/** Programs run on the workstation: one alone, or two with a pipe between them. */
import { execFileSync, spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A program with its arguments; the environment comes on top of this process's own. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How to get the program when it is not there. */
  readonly hint?: string;
}

/** A program that ended badly, with what it said last. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

const LINES_KEPT = 12;

/**
 * Runs a program with a text on its standard input; its standard output. Ctrl-C does not reach it: what it
 * began on the other side would go on there, with nobody waiting for it.
 */
export async function run(command: Command, stdin = ""): Promise<string> {
  const child = start(command, ["pipe", "pipe", "pipe"], true);
  const [output] = await Promise.all([
    text(child.stdout),
    ended(command, child),
    deliver(child, stdin),
  ]);
  return output;
}

/**
 * Pipes what one program says into another; the standard output of the second. Both have to end well.
 *
 * It is a pipe of the system: what Node calls one is a pair of sockets, and a program that opens `/dev/stdout`
 * by name, as the backup client does, gets ENXIO from a socket (unix(7)).
 */
export async function pipe(from: Command, to: Command): Promise<string> {
  const ends = systemPipe();
  const source = start(from, ["ignore", ends.write, "pipe"]);
  const target = start(to, [ends.read, "pipe", "pipe"]);
  // Theirs alone now: when one of them ends, the other sees it.
  closeSync(ends.read);
  closeSync(ends.write);
  const done = [ended(from, source), ended(to, target)] as const;
  const output = text(target.stdout);
  const results = await Promise.allSettled(done);
  const failures = results.flatMap(({ status, ...rest }) =>
    status === "rejected" ? [(rest as { reason: Error }).reason.message] : [],
  );
  if (failures.length > 0) throw new CommandFailed(failures.join("\n"));
  return output;
}

function start(
  { program, args, env }: Command,
  stdio: StdioOptions,
  detached = false,
): ChildProcess {
  return spawn(program, args, { stdio, detached, env: { ...process.env, ...env } });
}

/** Both ends of a pipe without a name: Node has no pipe(2), so it has one for a moment. */
function systemPipe(): { read: number; write: number } {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-pipe-"));
  try {
    const name = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", name]);
    // Whoever opens one end alone would wait for the other.
    const first = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const write = openSync(name, constants.O_WRONLY);
    const read = openSync(name, constants.O_RDONLY);
    closeSync(first);
    return { read, write };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function deliver(child: ChildProcess, stdin: string): Promise<void> {
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin);
  return Promise.resolve();
}

async function text(stream: ChildProcess["stdout"]): Promise<string> {
  const parts: Buffer[] = [];
  stream?.on("data", (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve) => stream?.on("close", resolve));
  return Buffer.concat(parts).toString();
}

function ended({ program, hint }: Command, child: ChildProcess): Promise<void> {
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
      else reject(new CommandFailed(complaint(program, code ?? signal ?? "", said)));
    });
  });
}

function complaint(program: string, status: number | string, said: string): string {
  const name = program.split("/").at(-1) ?? program;
  const last = said.trim().split("\n").slice(-LINES_KEPT).join("\n");
  return `${name} ended with ${status}${last ? `: ${last}` : ""}`;
}
