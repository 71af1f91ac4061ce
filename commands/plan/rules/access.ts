/** Rules about people: who may log in to a node, and who may use its Docker. */
import { variablesOf } from "../../../node/stdin";
import type { Change, Value } from "../model";
import type { Details, Rule } from "./rule";
import { runsAgain } from "./steps";

export const ACCESS_RULES: readonly Rule[] = [
  {
    label: "removes-ssh-key",
    severity: "caution",
    explanation: "Whoever has the other half of the key cannot log in any more.",
    applies: (change: Change): Details =>
      runsAgain(change, "access")
        ? findLost(change, sshKeys, (key) => `${key.split(" ")[0] ?? ""} …${key.slice(-12)}`)
        : undefined,
  },
  {
    label: "removes-user",
    severity: "caution",
    explanation: "A user loses access: to Docker without its group, to the node without sshd.",
    applies: (change: Change): Details => {
      if (runsAgain(change, "access"))
        return findLost(change, groupMembers, (user) => `${user}: group docker`);
      return runsAgain(change, "hardening") ? findLockedOut(change) : undefined;
    },
  },
];

type Read = (stdin: Value | undefined) => readonly string[];

/** What was there and is not any more, in words. */
function findLost(
  { old, new: inputs }: Change,
  read: Read,
  describe: (one: string) => string,
): Details {
  const kept = new Set(read(inputs.stdin));
  const lost = read(old.stdin).filter((one) => !kept.has(one));
  return lost.length > 0 ? lost.map(describe) : undefined;
}

/** Keys by type and key: another comment is the same key. */
const sshKeys: Read = (stdin) =>
  (variablesOf(stdin).AUTHORIZED_KEYS ?? "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split(/\s+/).slice(0, 2).join(" "));

const wordsOf = (...texts: (string | undefined)[]): string[] => [
  ...new Set(texts.flatMap((text) => (text ?? "").split(" ")).filter((word) => word !== "")),
];

const groupMembers: Read = (stdin) => wordsOf(variablesOf(stdin).DOCKER_GROUP_MEMBERS);

/** Whom sshd lets in; undefined while it is not hardened, when it lets in everybody. */
function sshUsers(stdin: Value | undefined): string[] | undefined {
  const { UNITS, NODE_USER, SSH_USERS } = variablesOf(stdin);
  return wordsOf(UNITS).includes("ssh") ? wordsOf(NODE_USER, SSH_USERS) : undefined;
}

function findLockedOut(change: Change): Details {
  const [before, after] = [sshUsers(change.old.stdin), sshUsers(change.new.stdin)];
  if (!after) return undefined;
  if (!before) return [`everybody but ${after.join(", ")}: sshd`];
  return findLost(
    change,
    (stdin) => sshUsers(stdin) ?? [],
    (user) => `${user}: sshd`,
  );
}
