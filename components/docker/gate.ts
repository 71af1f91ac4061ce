import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { bareKey, sshEndpoint } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import type { RecordedConnection, RecordedNode } from "../../node/recorded";
import { DIALS } from "../../node/steps";

export type Connection = command.types.input.remote.ConnectionArgs;

/** One shape for every command: a connection that differs runs its command again (pulumi-command#447). */
export function connect(node: NodeConfig, privateKey: pulumi.Input<string>): Connection {
  const { host, port } = sshEndpoint(node);
  return {
    host,
    port,
    user: node.ssh.user,
    privateKey: pulumi.secret(privateKey),
    dialErrorLimit: DIALS.each,
    perDialTimeout: 30,
  };
}

/**
 * How the first command connects. A machine that is new has the host key it is found with, unless one is declared. One that is
 * known keeps its recorded connection, to the letter; a connection that has to change carries the host key learned before, so that
 * nothing else than that machine is taken for it.
 */
export function firstConnection(
  node: NodeConfig,
  privateKey: string,
  recorded?: RecordedNode,
): Connection {
  const declared = { ...connect(node, privateKey), dialErrorLimit: DIALS.first };
  const hostKey = node.ssh.hostKey;
  if (!recorded) return { ...declared, hostKey };
  if (!isSame(node, privateKey, recorded.connection))
    return { ...declared, hostKey: hostKey ?? recorded.hostKey };
  const { dialErrorLimit, hostKey: pinned } = recorded.connection;
  return { ...declared, dialErrorLimit, hostKey: hostKey ?? (pinned ? pinned : undefined) };
}

function isSame(node: NodeConfig, privateKey: string, recorded: RecordedConnection): boolean {
  const { host, port } = sshEndpoint(node);
  return (
    recorded.host === host &&
    recorded.port === port &&
    recorded.user === node.ssh.user &&
    recorded.privateKey === privateKey
  );
}

/** The host key that everything after the first command insists on. */
export function pinnedKey(
  { ssh }: NodeConfig,
  ready: command.remote.Command,
): pulumi.Output<string> {
  return ssh.hostKey ? pulumi.output(bareKey(ssh.hostKey)) : ready.stdout;
}
