/** Rules that hold for every type of resource, and those about backups. */
import type { Change, Properties } from "../model";
import { asWord } from "./items";
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
  {
    label: "deletes-backups",
    severity: "danger",
    explanation: "The VM's next backup deletes earlier ones, which were to be kept longer.",
    applies: ({ type, action, old, new: inputs }: Change): Details => {
      if (type !== JOB || action === "create" || action === "delete") return undefined;
      const [was, now] = [keptDays(old), keptDays(inputs)];
      return now < was ? [`kept: ${describeDays(was)} → ${describeDays(now)}`] : undefined;
    },
  },
];

const JOB = "proxmoxve:backup/job:Job";

/** Days of which the job keeps a backup; without this number it keeps all. */
const keptDays = ({ pruneBackups }: Properties): number =>
  Number(asWord((pruneBackups as Properties | undefined)?.["keep-daily"], "Infinity"));

const describeDays = (days: number): string => (days === Infinity ? "all" : `${days} days`);
