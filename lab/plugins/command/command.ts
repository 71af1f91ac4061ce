/**
 * `command:remote:Command` and `command:local:Command`. Create runs `create`; update runs `update`, or `create` again when
 * there is none; delete runs `delete`; a missing command leaves everything as it is
 * (pulumi-command#17, #37, #40).
 */
import { withClient } from "./dial";
import { runLocally } from "./local";
import type { Operation } from "./operations";
import { run } from "./session";
import type { Output, Task, Variable } from "./session";
import type { Connection } from "./ssh";
import { command as remoteShape, localCommand as localShape } from "./schema";
import type { Shape } from "./schema";
import { toPlain } from "./values";
import type { Props } from "./values";
import type { Resource } from "./resource";

/** The inputs without secret wrappers, as check.ts let them pass, and what the last run printed. */
interface Settings {
  connection: Connection;
  dir?: string;
  interpreter?: string[];
  create?: string;
  update?: string;
  delete?: string;
  stdin?: string;
  environment?: Record<string, string>;
  logging?: "none" | "stdout" | "stderr" | "stdoutAndStderr";
  addPreviousOutputInEnv?: boolean;
  stdout?: string;
  stderr?: string;
}

function settingsOf(props: Props): Settings {
  return toPlain(props) as unknown as Settings;
}

/** Upstream gives the previous output to update and delete, and only what is not empty. */
function variablesOf({
  environment = {},
  addPreviousOutputInEnv = true,
  stdout,
  stderr,
}: Settings): Variable[] {
  const own = Object.entries(environment).map(([name, value]) => ({ name, value, required: true }));
  const previous: Variable[] = [];
  if (stdout) previous.push({ name: "PULUMI_COMMAND_STDOUT", value: stdout, required: false });
  if (stderr) previous.push({ name: "PULUMI_COMMAND_STDERR", value: stderr, required: false });
  return addPreviousOutputInEnv ? [...own, ...previous] : own;
}

/** Runs a task where its resource is to run it. */
type Runner = (operation: Operation, settings: Settings, task: Task) => Promise<Output>;

/**
 * Runs a command with the given settings; without one the previous output stays. One final newline
 * is dropped.
 */
async function execute(
  runner: Runner,
  operation: Operation,
  settings: Settings,
  command?: string,
): Promise<Props> {
  const { stdin = "", logging = "stdoutAndStderr", stdout = "", stderr = "" } = settings;
  if (command === undefined) return { stdout, stderr };
  const task = {
    command,
    stdin,
    variables: variablesOf(settings),
    logStdout: logging === "stdout" || logging === "stdoutAndStderr",
    logStderr: logging === "stderr" || logging === "stdoutAndStderr",
  };
  const output = await runner(operation, settings, task);
  return {
    stdout: output.stdout.replace(/\n$/, ""),
    stderr: output.stderr.replace(/\n$/, ""),
  };
}

const makeCommand = (shape: Shape, runner: Runner): Resource => ({
  shape,
  outputs: ["stdout", "stderr"],
  idPrefix: (name) => name,

  async create(operation, inputs) {
    const settings = settingsOf(inputs);
    return { ...inputs, ...(await execute(runner, operation, settings, settings.create)) };
  },

  async update(operation, state, inputs) {
    const { stdout, stderr } = settingsOf(state);
    const settings = { ...settingsOf(inputs), stdout, stderr };
    const output = await execute(runner, operation, settings, settings.update ?? settings.create);
    return { ...inputs, ...output };
  },

  async delete(operation, state) {
    const settings = settingsOf(state);
    await execute(runner, operation, settings, settings.delete);
  },
});

export const command = makeCommand(remoteShape, (operation, { connection }, task) =>
  withClient(operation, connection, (client) => run(operation, client, task)),
);

export const localCommand = makeCommand(localShape, runLocally);
