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

/** ssh to a node; the private key stays where it is. `more`: options on top of those every node has. */
export function sshShell(
  node: NodeConfig,
  hostKey: string,
  more: readonly string[] = [],
): NodeShell {
  const { host, port } = sshEndpoint(node);
  const options = [...sshOptions(node, hostKey), ...more];
  const target = [...options, "-p", String(port), `${node.ssh.user}@${host}`];
  const ssh = (command: readonly string[]): Command => ({
    program: "ssh",
    args: [...target, ["sudo", "-n", ...command].map(word).join(" ")],
    hint: "apt install openssh-client",
  });
  return {
    script: async (name, variables) => {
      const text = renderScript(name, variables);
      return (await run(ssh(["bash", "-s"]), text).catch(explained(host))).trim();
    },
    feed: async (command, from) => (await pipe(from, ssh(command))).trim(),
    shown: (command) => `ssh ${node.ssh.user}@${host} sudo ${command.map(word).join(" ")}`,
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
