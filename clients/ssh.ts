/** Runs commands as root on a node, by ssh with the host key pinned. */
import { renderScript, shellQuote, type ScriptName, type ShellVariables } from "../node/scripts";
import { sshEndpoint, sshOptions } from "../config/node";
import type { NodeConfig } from "../config/schema";
import { messageOf } from "./failure";
import { CommandFailed, pipe, run, type Command } from "./process";

/** What recoveries do on a node. */
export interface NodeShell {
  /** Runs a script of `node/` with variables. Returns its standard output, trimmed. */
  readonly script: (name: ScriptName, variables: ShellVariables) => Promise<string>;
  /** Runs one command. Its standard input is the output of a program on the workstation. */
  readonly feed: (command: readonly string[], from: Command) => Promise<string>;
  /** A command as a person would type it on the workstation. */
  readonly shown: (command: readonly string[]) => string;
}

/** Address and user of a machine. */
export interface Target {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

/** A command that root runs on a machine. */
export function asRoot(
  { user, host, port }: Target,
  options: readonly string[],
  command: readonly string[],
): Command {
  const remote = ["sudo", "-n", ...command].map(quoteWord).join(" ");
  const args = [...options, "-p", String(port), `${user}@${host}`, remote];
  return { program: "ssh", args, hint: "apt install openssh-client" };
}

/**
 * Runs a script as root on a machine. Returns its standard output.
 * @throws CommandFailed that names the machine, with the message of ssh, sudo or the script
 */
export function runScript(
  target: Target,
  options: readonly string[],
  script: string,
): Promise<string> {
  return run(asRoot(target, options, ["bash", "-s"]), script).catch(throwExplained(target.host));
}

/** ssh to a node; the private key stays where it is. `more`: options on top of those every node has. */
export function sshShell(
  node: NodeConfig,
  hostKey: string,
  more: readonly string[] = [],
): NodeShell {
  const { user } = node.ssh;
  const target = { user, ...sshEndpoint(node) };
  const options = [...sshOptions(node, hostKey), ...more];
  return {
    script: async (name, variables) =>
      (await runScript(target, options, renderScript(name, variables))).trim(),
    feed: async (command, from) => (await pipe(from, asRoot(target, options, command))).trim(),
    shown: (command) => `ssh ${user}@${target.host} sudo ${command.map(quoteWord).join(" ")}`,
  };
}

/** Quotes a word, but only if the shell would not read it as one plain word. */
export function quoteWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : shellQuote(text);
}

/** ssh itself only reports status 255. The message names the node, and explains a changed host key. */
const throwExplained =
  (host: string) =>
  (error: unknown): never => {
    const said = messageOf(error);
    const changed = /REMOTE HOST IDENTIFICATION|Host key verification failed/.test(said);
    const hint = changed ? " (its host key is not the pinned one: is it the same machine?)" : "";
    throw new CommandFailed(`${host}${hint}: ${said}`);
  };
