/** Programs run on the workstation: one alone, or two with a pipe between them. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { pipeline } from "node:stream/promises";

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

/** Pipes what one program says into another; the standard output of the second. Both have to end well. */
export async function pipe(from: Command, to: Command): Promise<string> {
  const source = start(from, ["ignore", "pipe", "pipe"]);
  const target = start(to, ["pipe", "pipe", "pipe"]);
  const done = [ended(from, source), ended(to, target), connect(source, target)] as const;
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

/** A program that has gone leaves a broken pipe; its exit status says why, so that is what is told. */
async function connect(source: ChildProcess, target: ChildProcess): Promise<void> {
  if (!source.stdout || !target.stdin) throw new Error("both ends of the pipe must be open");
  await pipeline(source.stdout, target.stdin).catch(() => {
    source.kill();
    target.kill();
  });
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
