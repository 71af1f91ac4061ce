import { isFiltered, isOpen, rulesFor } from "../../config/firewall";
import { bareKey } from "../../config/node";
import { readPrivateKey } from "../../config/private-keys";
import type { Problem } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";
import type { SshConnection } from "../../node/checks";
import type { RecordedNode } from "../../node/recorded";
import { variablesOf } from "../../node/stdin";

const STEPS = "docs/how-to/change-a-node.md#rotate-the-ssh-key says how";

/**
 * Says which change of the configuration a node refuses to let in: a key or a user that the last `up` did not give it.
 * No step could undo that, because the step that writes keys comes after the login. Empty if neither has changed.
 *
 * @param asked whether the node itself has refused; else nobody has looked whether it knows them from elsewhere
 */
export function lockOuts(
  name: string,
  { ssh }: Pick<NodeConfig, "ssh">,
  { stdin }: Pick<RecordedNode, "stdin">,
  asked = true,
): Problem[] {
  const given = variablesOf(stdin.access);
  if (given.AUTHORIZED_KEYS === undefined) return [];
  const key = readPrivateKey(ssh.privateKeyFile);
  const keys = given.AUTHORIZED_KEYS.split("\n").map(bareKey);
  const refuse = (field: "user" | "privateKeyFile", allowed: string): Problem => ({
    ...{ path: ["nodes", name, "ssh", field], value: ssh[field] },
    allowed: `${allowed}; ${sayWhy(asked)} (${STEPS})`,
  });
  return [
    ...("publicKey" in key && !keys.includes(key.publicKey)
      ? [refuse("privateKeyFile", "a key whose public half the node has from an earlier up")]
      : []),
    ...(given.NODE_USER !== ssh.user
      ? [refuse("user", `${given.NODE_USER ?? ""}, or another user who can log in by this key`)]
      : []),
  ];
}

const sayWhy = (asked: boolean): string =>
  asked
    ? "the node refuses this one"
    : "whether the node takes this one was not looked at, since DOCKER_NODE_DRIFT is off";

/**
 * Says whether the declared firewall would cut this program off from SSH of a node. Proxmox's rules change before any step runs on
 * the node, so the node itself could refuse that too late. Empty if neither Proxmox nor the node filters, or a rule lets it in.
 *
 * @param connection how the node sees a connection of this program
 */
export function shutOuts(name: string, node: NodeConfig, connection: SshConnection): Problem[] {
  const { from, port } = connection;
  if (!isFiltered(node) || isOpen(rulesFor(node, from), port)) return [];
  const path = ["nodes", name, "network", "firewall", "managementNetworks"];
  const value = node.network.firewall?.managementNetworks;
  return [{ path, value, allowed: sayAllowed(connection) }];
}

function sayAllowed({ from, port }: SshConnection): string {
  const reason = `this connection came to the node from ${from}, and no rule would let in the next one`;
  if (port !== 22) return `a rule for port ${port} beside these, which open port 22; ${reason}`;
  return `networks of which one has ${from}; ${reason}`;
}
