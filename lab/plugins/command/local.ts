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
  const [program, ...args] = [...interpreter, task.command] as const;
  const own = task.variables.map(({ name, value }) => [name, value]);
  const env = { ...process.env, ...(Object.fromEntries(own) as Record<string, string>) };
  const child = spawn(program, args, { cwd: dir, env, signal });
  // A command may end without reading its input. Its exit status tells how it went.
  child.stdin.on("error", () => undefined).end(task.stdin);
  const output = collectOutput(child, log, task);
  const failure = await waitForEnd(child);
  if (failure)
    throw new Error(`${failure}: running ${JSON.stringify(task.command)}:\n${output.both}`);
  return output;
}

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
async function waitForEnd(child: ChildProcess): Promise<string> {
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code === 0) return "";
  return code === null ? `signal: ${signal ?? "unknown"}` : `exit status ${code}`;
}
