<<<<<<< HEAD
/** Runs one command on this machine, in the folder that Pulumi starts the plugin in: the project's. */
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import type { Log, Operation } from "./operations";
import { collect, type Output, type Task } from "./session";

/** Where and by what a command is run; default: here, by `/bin/sh -c`. */
interface Place {
  dir?: string;
  interpreter?: string[];
}

/** Anything but exit status 0 is an error, which shows what the command printed. */
export async function runLocally(
  { signal, log }: Operation,
  { dir, interpreter = ["/bin/sh", "-c"] }: Place,
  task: Task,
): Promise<Output> {
  const [program = "", ...args] = [...interpreter, task.command];
  const own = task.variables.map(({ name, value }) => [name, value]);
  const env = { ...process.env, ...(Object.fromEntries(own) as Record<string, string>) };
  const child = spawn(program, args, { cwd: dir, env, signal });
  // A command may end without reading its input. Its exit status tells how it went.
  child.stdin.on("error", () => undefined).end(task.stdin);
  const output = collectOutput(child, log, task);
=======
/** `command:local:Command`: the same as the remote one, by a shell of this machine, in the folder of the project. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { collectOutput, type Output, type Task } from "./session";
import { localCommand as shape } from "./schema";
import { outputOf, settingsOf, taskOf, type Settings } from "./command";
import type { Operation } from "./operations";
import type { Resource } from "./resource";
import type { Props } from "./values";

async function execute(operation: Operation, settings: Settings, command?: string): Promise<Props> {
  const { stdout = "", stderr = "" } = settings;
  if (command === undefined) return { stdout, stderr };
  return outputOf(await runLocally(operation, taskOf(settings, command)));
}

/** Runs a command to its end, in the words of upstream; when the operation is over before, it is ended. */
async function runLocally({ signal, log }: Operation, task: Task): Promise<Output> {
  const own = Object.fromEntries(task.variables.map(({ name, value }) => [name, value]));
  const options = { env: { ...process.env, ...own }, signal };
  const child = spawn("/bin/sh", ["-c", task.command], { ...options, stdio: "pipe" });
  const channel = Object.assign(child.stdout, { stderr: child.stderr });
  const output = collectOutput(log, channel, task);
  child.stdin.on("error", () => undefined);
  child.stdin.end(task.stdin);
>>>>>>> scan
  const failure = await waitForEnd(child);
  if (failure)
    throw new Error(`${failure}: running ${JSON.stringify(task.command)}:\n${output.both}`);
  return output;
}

<<<<<<< HEAD
/** What the command prints, also in the order of both streams together, for an error message. */
function collectOutput(
  child: ChildProcessWithoutNullStreams,
  log: Log,
  task: Task,
): Output & { both: string } {
  const output = { stdout: "", stderr: "", both: "" };
  const attach = (name: "stdout" | "stderr", shown: boolean): void => {
    const keep = (text: string): void => {
      output[name] += text;
      output.both += text;
    };
    collect(child[name], keep, (line) => {
      if (shown) log("status", line);
    });
  };
  attach("stdout", task.logStdout);
  attach("stderr", task.logStderr);
  return output;
}

/** How the command ended, in the words of Go's library; empty after success. */
=======
>>>>>>> scan
async function waitForEnd(child: ChildProcess): Promise<string> {
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code === 0) return "";
  return code === null ? `signal: ${signal ?? "unknown"}` : `exit status ${code}`;
}
<<<<<<< HEAD
=======

export const localCommand: Resource = {
  shape,
  outputs: ["stdout", "stderr"],
  idPrefix: (name) => name,

  async create(operation, inputs) {
    const settings = settingsOf(inputs);
    return { ...inputs, ...(await execute(operation, settings, settings.create)) };
  },

  async update(operation, state, inputs) {
    const { stdout, stderr } = settingsOf(state);
    const settings = { ...settingsOf(inputs), stdout, stderr };
    return {
      ...inputs,
      ...(await execute(operation, settings, settings.update ?? settings.create)),
    };
  },

  async delete(operation, state) {
    const settings = settingsOf(state);
    await execute(operation, settings, settings.delete);
  },
};
>>>>>>> scan
