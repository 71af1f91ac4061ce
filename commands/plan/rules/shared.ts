/** Rules that hold for every type of resource. */
import type { Change } from "../model";
import type { Details, Rule } from "./rule";

export const SHARED_RULES: readonly Rule[] = [
  {
    label: "rotates-secret",
    severity: "caution",
    explanation:
      "A secret is replaced by another value; what still uses the old one is locked out.",
    applies: ({ action, properties }: Change): Details => {
      const secrets = properties.filter(({ secret }) => secret).map(({ path }) => path);
      return action !== "create" && secrets.length > 0 ? secrets : undefined;
    },
  },
  {
    label: "touches-backups",
    severity: "caution",
    explanation: "Backup jobs or their storage change; check that the next backup runs.",
    applies: ({ urn, action }: Change): Details =>
      /:backup\/|:storage\/pbs:|:components:Backups/.test(urn) ? [action] : undefined,
  },
];
