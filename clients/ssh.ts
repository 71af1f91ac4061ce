/** The node, as root, by ssh with the host key pinned. */
import { renderScript, shellQuote, type ScriptName, type ShellVariables } from "../node/scripts";
import { sshEndpoint, sshOptions } from "../config/node";
import type { NodeConfig } from "../config/schema";
import { CommandFailed, pipe, run, type Command } from "./process";

/** What recoveries do on a node. */
export interface NodeShell {
  /** Runs a script of `node/` with variables; its standard output, trimmed. */
  readonly script: (name: ScriptName, variables: ShellVariables) => Promise<string>;
  /** Runs one command with what a program on the workstation says on its standard input. */
  readonly feed: (command: readonly string[], from: Command) => Promise<string>;
  /** A command as a person would type it on the workstation. */
  readonly shown: (command: readonly string[]) => string;
}

/** Where a machine is reached. */
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
  const remote = ["sudo", "-n", ...command].map(word).join(" ");
  const args = [...options, "-p", String(port), `${user}@${host}`, remote];
  return { program: "ssh", args, hint: "apt install openssh-client" };
}

/**
 * Runs a script as root on a machine; its standard output.
 * @throws CommandFailed naming the machine, with what ssh, sudo or the script said
 */
export function runScript(
  target: Target,
  options: readonly string[],
  script: string,
): Promise<string> {
  return run(asRoot(target, options, ["bash", "-s"]), script).catch(explained(target.host));
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
    shown: (command) => `ssh ${user}@${target.host} sudo ${command.map(word).join(" ")}`,
  };
}

/** Quoted only where the shell would see more than one plain word. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : shellQuote(text);
}

/** ssh says only "255" of itself: name the node, and what a changed host key means. */
const explained =
  (host: string) =>
  (error: unknown): never => {
    const said = error instanceof Error ? error.message : String(error);
    const changed = /REMOTE HOST IDENTIFICATION|Host key verification failed/.test(said);
    const hint = changed ? " (its host key is not the pinned one: is it the same machine?)" : "";
    throw new CommandFailed(`${host}${hint}: ${said}`);
  };
