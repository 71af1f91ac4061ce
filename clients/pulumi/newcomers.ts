import { bringsItsOwn } from "../../config/node";
import type { Problem } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";

/** Jobs of the backup server are called `<node>-configuration` and may have 32 characters (commands/backups/pbs-server). */
const LONGEST_NAME = 18;

/**
 * Says what is wrong with a node that is new: what is here cannot be mended later, or only by hand on a node that is not hardened and
 * filtered yet. A node that exists may have it, because somebody has seen to it.
 */
export const checkNewcomer = (name: string, node: NodeConfig): Problem[] => [
  ...missingUsers(name, node),
  ...tooLong(name, node),
];

/**
 * Nobody makes users on a new machine, and the steps that need them come after Docker's start and before the hardening and the firewall.
 */
function missingUsers(name: string, { machine, engine, ssh }: NodeConfig): Problem[] {
  if (bringsItsOwn(machine)) return [];
  const refuse = (path: string[], value: string, instead: string): Problem => ({
    ...{ path: ["nodes", name, "engine", ...path], value },
    allowed: `${instead}; a new machine has no other user: bring it up, make the user on it, then name it here`,
  });
  const remap = engine.daemon["userns-remap"] ?? "default";
  return [
    ...engine.groupMembers
      .filter((user) => user !== ssh.user)
      .map((user) => refuse(["groupMembers"], user, `${ssh.user}, or nobody`)),
    ...(remap === "default" ? [] : [refuse(["daemon", "userns-remap"], remap, '"default"')]),
  ];
}

function tooLong(name: string, { backups }: NodeConfig): Problem[] {
  if (!backups || name.length <= LONGEST_NAME) return [];
  const allowed = `a name of ${LONGEST_NAME} characters at most for a node with backups: jobs of the backup server are called after it`;
  return [{ path: ["nodes"], value: name, allowed }];
}
