/** The evidence for a node's coverage map, and the rows of the map. */
import type { Section } from "../../clients/backup-server";
import type { Snapshot } from "../../clients/snapshots";
import type { PruneJob } from "../../clients/prune-jobs";
import type { VmStore } from "../../config/backups";
import type { BackupsConfig } from "../../config/schema";
import type { Inventory } from "../site/inventory";

export type State =
  /** Backed up within its RPO, or kept as declared. */
  | "ok"
  /** The last good backup is older than that. */
  | "late"
  | "never"
  /** The last backup lacks files. */
  | "incomplete"
  /** The server's verification failed. */
  | "broken"
  /** An upload under way, or one that was cut off. */
  | "unfinished"
  /** Dated in the future: a clock is wrong, or somebody forged the time. */
  | "ahead"
  /** The server keeps something else than what is declared. */
  | "differs"
  /** Left out on purpose, by its label. */
  | "excluded"
  /** No backup covers it. */
  | "not covered"
  /** It holds nothing that could be lost, such as a socket. */
  | "no data"
  /** It is no longer on the node, but still in the backups. */
  | "gone"
  /** The server or node did not answer. */
  | "unknown";

export interface Row {
  readonly kind: "volume" | "bind mount" | "image" | "configuration" | "vm" | "retention";
  readonly item: string;
  /** Containers that use it. */
  readonly usedBy: readonly string[];
  readonly state: State;
  /** The last good snapshot. */
  readonly snapshot?: string;
  /** Seconds since the backup was last known to be current. */
  readonly age?: number;
  /** Seconds that the age may reach. */
  readonly rpo?: number;
  /** The reason, or the last error. */
  readonly detail?: string;
}

/** Everything the map is drawn from. */
export interface Evidence {
  /** Name of the node, its namespace on the backup server. */
  readonly node: string;
  readonly backups: BackupsConfig;
  readonly inventory: Inventory;
  readonly snapshots: Readonly<Record<Section, readonly Snapshot[]>>;
  /** What the snapshots of the images section hold, the newest first. */
  readonly images: readonly IndexEvidence[];
  /** Paths that the configuration's backup takes. */
  readonly configurationPaths: readonly string[];
  /** The VM's newest backup; null without one, or why Proxmox could not be asked. */
  readonly vm: { readonly volume: string; readonly takenAt: Date } | Unasked | null;
  readonly vmId: number;
  /** Prune jobs of the backup server, or why it could not be asked for them. */
  readonly pruneJobs: readonly PruneJob[] | Unasked;
  /** Where that server removes older backups of the VM. Undefined if Proxmox does, or if it is not known. */
  readonly vmStore?: VmStore;
}

/** Ids of the images in a snapshot; none, with the problem, if it cannot be read. */
export interface IndexEvidence extends Partial<Unasked> {
  readonly snapshot: Snapshot;
  readonly ids: readonly string[];
}

/** A server that did not answer, with the error. */
export interface Unasked {
  readonly problem: string;
}

export const isUnasked = (answer: object | null): answer is Unasked =>
  answer !== null && "problem" in answer;
