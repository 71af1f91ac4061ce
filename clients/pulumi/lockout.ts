import { bareKey } from "../../config/node";
import { readPrivateKey } from "../../config/private-keys";
import type { Problem } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";
import type { RecordedNode } from "../../node/recorded";
import { variablesOf } from "../../node/stdin";

const STEPS = "docs/how-to/change-a-node.md#rotate-the-ssh-key says how";

/**
 * Says which change of the configuration a node refuses to let in: a key or a user that the last `up` did not give it.
 * No step could undo that, because the step that writes keys comes after the login. Empty if neither has changed.
 */
export function lockOuts(
  name: string,
  { ssh }: Pick<NodeConfig, "ssh">,
  { stdin }: Pick<RecordedNode, "stdin">,
): Problem[] {
  const given = variablesOf(stdin.access);
  if (given.AUTHORIZED_KEYS === undefined) return [];
  const key = readPrivateKey(ssh.privateKeyFile);
  const keys = given.AUTHORIZED_KEYS.split("\n").map(bareKey);
  const refuse = (field: "user" | "privateKeyFile", allowed: string): Problem => ({
    ...{ path: ["nodes", name, "ssh", field], value: ssh[field] },
    allowed: `${allowed}; the node refuses this one (${STEPS})`,
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
