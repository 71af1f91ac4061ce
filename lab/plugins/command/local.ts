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
  const failure = await waitForEnd(child);
  if (failure)
    throw new Error(`${failure}: running ${JSON.stringify(task.command)}:\n${output.both}`);
  return output;
}

async function waitForEnd(child: ChildProcess): Promise<string> {
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code === 0) return "";
  return code === null ? `signal: ${signal ?? "unknown"}` : `exit status ${code}`;
}

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
