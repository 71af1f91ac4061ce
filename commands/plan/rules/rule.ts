/** What a rule is. */
import type { Change } from "../model";

export const SEVERITIES = ["info", "caution", "danger"] as const;
export type Severity = (typeof SEVERITIES)[number];

export type Label =
  | "replaces-vm"
  | "deletes-vm"
  | "data-loss"
  | "hides-images-or-volumes"
  | "restarts-dockerd"
  | "reloads-dockerd"
  | "upgrades-docker"
  | "reboots"
  | "grows-disk"
  | "shrinks-disk"
  | "moves-disk"
  | "lifts-protection"
  | "changes-vlan"
  | "changes-address"
  | "changes-mac"
  | "changes-nics"
  | "replugs-nic"
  | "removes-ssh-key"
  | "removes-user"
  | "opens-port"
  | "closes-port"
  | "rotates-secret"
  | "touches-backups"
  | "deletes-backups"
  | "replaces-network"
  | "places-workload"
  | "removes-workload"
  | "restarts-workload"
  | "detaches-data";

/** What a label is about, such as keys or ports. Empty: the label applies, without details. Undefined: it does not apply. */
export type Details = readonly string[] | undefined;

/** A rule looks at one change. */
export interface Rule {
  readonly label: Label;
  readonly severity: Severity;
  /** One sentence: what happens, and to what. */
  readonly explanation: string;
  readonly applies: (change: Change) => Details;
}
