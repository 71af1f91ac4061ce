import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { bareKey, sshEndpoint } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import type { RecordedConnection, RecordedNode } from "../../node/recorded";
import { DIALS } from "../../node/steps";

/** How the command plugin reaches a node by SSH. */
export type Connection = command.types.input.remote.ConnectionArgs;

/** The connection of every command. It never varies, because a changed connection runs its command again (pulumi-command#447). */
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
 * The connection of the first command. It accepts any host key of a new machine, unless the configuration declares one. A
 * known machine keeps its recorded connection exactly. If the connection has to change, it insists on the host key that was
 * learned before, so no other machine can take its place.
 */
export function connectFirst(
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

/** The host key that every later connection insists on. */
export function pinKey({ ssh }: NodeConfig, ready: command.remote.Command): pulumi.Output<string> {
  return ssh.hostKey ? pulumi.output(bareKey(ssh.hostKey)) : ready.stdout;
}
