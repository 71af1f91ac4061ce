import type { NodeConfig } from "../schema";
import { UNITS } from "../schema/hardening";
import { weaknessIf, type Downgrade } from "./downgrade";

/* Host units that are turned off, and what sshd then lets through. */

/** The rows, in the order of the units. */
export const HARDENING_DOWNGRADES: readonly Downgrade<NodeConfig>[] = [
  ...UNITS.map((unit): Downgrade<NodeConfig> => ({
    id: `hardening-${unit}-off`,
    allowed: "true",
    meaning: `The unit \`${unit}\` of the node's hardening is off: what it sets is as the image or a person has it.`,
    find: ({ hardening }) => weaknessIf(!hardening[unit], `hardening/${unit}`, hardening[unit]),
  })),
  {
    id: "hardening-ssh-forwarding",
    allowed: "false",
    meaning:
      "Whoever may log in reaches, through sshd, what the node reaches, Docker's socket too.",
    find: ({ hardening: { sshForwarding } }) =>
      weaknessIf(sshForwarding, "hardening/sshForwarding", sshForwarding),
  },
];
