import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { livesOn } from "../shared/lifetime";
import { withRepairs } from "../../node/stdin";
import { renderScript, type ScriptName, type ShellVariables } from "../../node/scripts";

/** Texts that make steps run again, to repair a node, by the names of their resources; see node/stdin.ts. */
export type Repairs = Readonly<Record<string, string | undefined>>;

/** A script, what it is given, and the machine it runs on. */
export interface NodeScriptArgs {
  /** Name of the script in `node/`, without `.sh`. */
  script: ScriptName;
  /** Environment variables of the script. */
  variables: pulumi.Input<ShellVariables>;
  connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  /** The machine it runs on. */
  machine: pulumi.Resource;
  /** Time limit, such as "20m". */
  timeout: string;
  /** Command that undoes it when the resource is deleted; the script is its standard input. Default: nothing runs. */
  remove?: string;
  /** What makes it run again, to repair the node. */
  repairs?: Repairs;
}

/** A `remove` that deletes a file, or a folder by `-rf`. The command plugin sends the step's standard input to this command as well. */
export const deletePath = (path: string, options: "-f" | "-rf"): string =>
  `cat >/dev/null; sudo -n rm ${options} -- ${path}`;

/**
 * Runs a script of `node/` as root on the machine: at creation, and when its text or a variable changes. Scripts are
 * idempotent, so an update runs the same script. A deletion runs `remove`, if any.
 */
export function runNodeScript(
  name: string,
  { script, variables, connection, machine, timeout, remove, repairs = {} }: NodeScriptArgs,
  opts: pulumi.CustomResourceOptions,
): command.remote.Command {
  return new command.remote.Command(
    name,
    {
      connection,
      create: "sudo -n bash -s",
      ...(remove ? { delete: remove } : {}),
      stdin: pulumi
        .output(variables)
        .apply((values) => withRepairs(renderScript(script, values), repairs[name])),
      // Without this, Pulumi also sends the variables to sshd, whose AcceptEnv refuses them with a warning (pulumi-command#430).
      addPreviousOutputInEnv: false,
      logging: command.remote.Logging.Stderr,
    },
    {
      customTimeouts: { create: timeout, update: timeout, ...(remove && { delete: timeout }) },
      ...livesOn(machine),
      ...opts,
    },
  );
}
