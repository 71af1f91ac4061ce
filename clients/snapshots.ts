/** Snapshots on the backup server: which of them are backups, and how the client names them. */
import { z } from "zod";
import { parseJson } from "./answer";

/** A snapshot of one item. It is a backup only without `fault`. */
export interface Snapshot {
  /** What was backed up, such as the name of a volume. */
  readonly id: string;
  readonly takenAt: Date;
  /** Bytes of its files, as they were before the server left out what it had. */
  readonly size?: number;
  /**
   * Why it is no backup. `unfinished`: its upload is under way, or was cut off together with the server. `broken`: the
   * server's verification failed.
   */
  readonly fault?: "unfinished" | "broken";
}

/**
 * Output of `proxmox-backup-client snapshot list --output-format json`. The server knows the size of those that have a
 * manifest, the last file of an upload (proxmox-backup, api2/admin/datastore.rs, list_snapshots).
 */
const listed = z.array(
  z.object({
    "backup-id": z.string(),
    "backup-time": z.number(),
    size: z.number().nullish(),
    verification: z.object({ state: z.string() }).nullish(),
  }),
);

/** Reads that output, the newest first. */
export function parseSnapshots(json: string): Snapshot[] {
  return parseJson(listed, json, "proxmox-backup-client snapshot list")
    .map((one) => ({
      id: itemOf(one["backup-id"]),
      takenAt: new Date(one["backup-time"] * 1000),
      size: one.size ?? undefined,
      ...faultOf(one),
    }))
    .sort((a, b) => b.takenAt.getTime() - a.takenAt.getTime());
}

function faultOf({ size, verification }: z.output<typeof listed>[number]): Pick<Snapshot, "fault"> {
  if (size === undefined || size === null) return { fault: "unfinished" };
  return verification?.state === "failed" ? { fault: "broken" } : {};
}

/**
 * The server keeps `host/benchmark` for itself, so a volume of that name has another group (node/backup/volumes.sh).
 * No volume's name begins with an underscore.
 */
const RESERVED = { item: "benchmark", group: "_benchmark" } as const;

const itemOf = (group: string): string => (group === RESERVED.group ? RESERVED.item : group);
const groupOf = (item: string): string => (item === RESERVED.item ? RESERVED.group : item);

/** The client's name of a snapshot: `host/<id>/<time>`. */
export function pathOf({ id, takenAt }: Snapshot): string {
  return `host/${groupOf(id)}/${timeOf(takenAt)}`;
}

/** Milliseconds that two clocks may differ. */
const SKEW_MS = 10 * 60_000;

/** Whether a snapshot is dated in the future. The client chooses the time, so an attacker on a node can make such a snapshot. */
export const isAhead = ({ takenAt }: Snapshot, now: Date): boolean =>
  takenAt.getTime() > now.getTime() + SKEW_MS;

/** Whether a snapshot is a backup. */
export const isGood = (snapshot: Snapshot, now: Date): boolean =>
  snapshot.fault === undefined && !isAhead(snapshot, now);

/** The newest of the backups before a snapshot that has more than twice its size: what was lost since is not in the snapshot. */
export const largerBefore = (
  snapshots: readonly Snapshot[],
  { id, takenAt, size }: Snapshot,
  now: Date,
): Snapshot | undefined =>
  size === undefined
    ? undefined
    : snapshots.find(
        (one) =>
          one.id === id && one.takenAt < takenAt && isGood(one, now) && (one.size ?? 0) > 2 * size,
      );

/** RFC 3339 in UTC, whole seconds. */
export function timeOf(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * Chooses a snapshot by `latest`, or by a time as the client shows it. `latest` is always a good one. A time may also
 * name one that is broken, or dated in the future, to save what can be saved.
 * @throws Error that lists the snapshots
 */
export function choose(
  snapshots: readonly Snapshot[],
  id: string,
  wanted: string,
  now: Date,
): Snapshot {
  const finished = snapshots.filter(({ fault }) => fault !== "unfinished");
  const group = finished.filter((one) => one.id === id);
  const found =
    wanted === "latest"
      ? group.find((one) => isGood(one, now))
      : group.find(({ takenAt }) => timeOf(takenAt) === wanted);
  if (found) return found;
  const times = group.map((one) => `${timeOf(one.takenAt)}${one.fault ? ` (${one.fault})` : ""}`);
  throw new Error(
    group.length === 0
      ? `${id}: never backed up; there are backups of: ${[...new Set(finished.map((one) => one.id))].join(", ") || "nothing"}`
      : `--snapshot ${wanted}; allowed: latest, ${times.join(", ")}`,
  );
}
