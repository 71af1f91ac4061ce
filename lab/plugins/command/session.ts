/** Runs one command in an ssh session. */
import { once } from "node:events";
import { StringDecoder } from "node:string_decoder";
import type { Client, ClientChannel } from "ssh2";
import { Session } from "./channel";
import type { Log, Operation } from "./operations";

export interface Variable {
  name: string;
  value: string;
  /**
   * A refused variable of the user's fails the command; one of the previous output is only warned
   * about.
   */
  required: boolean;
}

export interface Task {
  command: string;
  stdin: string;
  variables: Variable[];
  logStdout: boolean;
  logStderr: boolean;
}

export interface Output {
  stdout: string;
  stderr: string;
}

async function setVariable(log: Log, session: Session, variable: Variable): Promise<void> {
  const { name, value, required } = variable;
  if (await session.setVariable(name, value)) return;
  log(
    required ? "error" : "warning",
    `Unable to set '${name}'. This only works if the ssh server accepts the variable by AcceptEnv. ` +
      "Where a shell runs the command, it can be prefixed instead: 'VAR=value command'.",
  );
  if (required) throw new Error(`could not set environment variable "${name}": ssh: setenv failed`);
}

/** Passes a stream on as text, and line by line while it arrives. */
export function collect(
  stream: NodeJS.ReadableStream,
  keep: (text: string) => void,
  show: (line: string) => void,
): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string): void => {
    keep(text);
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(show);
  };
  stream.on("data", (data: Buffer) => {
    take(decoder.write(data));
  });
  stream.on("end", () => {
    take(decoder.end());
    if (rest) show(rest);
  });
}

/** What the command prints, also in the order of both streams together, for an error message. */
function collectOutput(log: Log, channel: ClientChannel, task: Task): Output & { both: string } {
  const output = { stdout: "", stderr: "", both: "" };
  const attach = (name: keyof Output, stream: NodeJS.ReadableStream, shown: boolean): void => {
    const keep = (text: string): void => {
      output[name] += text;
      output.both += text;
    };
    collect(stream, keep, (line) => {
      if (shown) log("status", line);
    });
  };
  attach("stdout", channel, task.logStdout);
  attach("stderr", channel.stderr, task.logStderr);
  return output;
}

/** How the command ended, in the words of upstream's ssh library; empty after success. */
async function waitForEnd(channel: ClientChannel): Promise<string> {
  let text = "wait: remote command exited without exit status or exit signal";
  channel.on("exit", (code: number | null, signal?: string) => {
    if (code === 0) text = "";
    else if (code !== null) text = `Process exited with status ${code}`;
    else text = `Process exited from signal ${signal ?? "unknown"}`;
  });
  await Promise.all([once(channel, "close"), once(channel.stderr, "close")]);
  return text;
}

async function execute(session: Session, task: Task): Promise<string> {
  const ended = waitForEnd(session.channel);
  if (!(await session.start(task.command))) throw new Error("ssh: the server refused the command");
  session.channel.end(task.stdin);
  return ended;
}

/**
 * Runs a command to its end, whatever becomes of the operation: upstream's session does not look at it either. Anything but
 * exit status 0 is an error, which shows what the command printed.
 */
export async function run({ log }: Operation, client: Client, task: Task): Promise<Output> {
  const session = await Session.open(client);
  // A command may end without reading its input. Its exit status tells how it went.
  session.channel.on("error", () => undefined);
  for (const variable of task.variables) await setVariable(log, session, variable);
  const output = collectOutput(log, session.channel, task);
  const failure = await execute(session, task);
  if (failure) {
    throw new Error(`${failure}: running ${JSON.stringify(task.command)}:\n${output.both}`);
  }
  return { stdout: output.stdout, stderr: output.stderr };
}
