/** Snapshots that are no backups, although the server lists them. */
import { SECTIONS, type Section } from "../../../clients/backup-server";
import { isAhead, isGood, timeOf, type Snapshot } from "../../../clients/snapshots";
import type { Evidence, Row, State } from "../evidence";

/** The evidence without those snapshots. */
export function withoutUnfit(evidence: Evidence, now: Date): Evidence {
  const dropUnfit = (snapshots: readonly Snapshot[]): Snapshot[] =>
    snapshots.filter((one) => isGood(one, now));
  const { volumes, configuration, images } = evidence.snapshots;
  return {
    ...evidence,
    snapshots: {
      volumes: dropUnfit(volumes),
      configuration: dropUnfit(configuration),
      images: dropUnfit(images),
    },
    images: evidence.images.filter(({ snapshot }) => isGood(snapshot, now)),
  };
}

/** What makes a snapshot unfit, and what it means. */
interface Flaw {
  readonly state: State;
  readonly has: (snapshot: Snapshot, now: Date) => boolean;
  readonly tell: (count: number, last: string) => string;
}

const FLAWS: readonly Flaw[] = [
  {
    // The client chooses the time, so an attacker on a node can make them: as many as the server keeps.
    state: "ahead",
    has: isAhead,
    tell: (count, last) =>
      `${count} snapshots are dated in the future, up to ${last}: the prune job removes real ones for them. Is this node under somebody else's control?`,
  },
  {
    state: "broken",
    has: ({ fault }) => fault === "broken",
    tell: (count, last) =>
      `${count} failed the server's verification, the last of ${last}: the log of its verify job says why`,
  },
  {
    state: "unfinished",
    has: ({ fault }) => fault === "unfinished",
    tell: (count, last) => `${count} under way or cut off, the last of ${last}: no backup`,
  },
];

/** A row for each item and flaw. */
export function unfitRows({ snapshots }: Evidence, now: Date): Row[] {
  return SECTIONS.flatMap((section) =>
    FLAWS.flatMap((flaw) => {
      const unfit = snapshots[section].filter((one) => flaw.has(one, now));
      return [...new Set(unfit.map(({ id }) => id))].map((item) =>
        unfitRow(
          section,
          flaw,
          unfit.filter(({ id }) => id === item),
        ),
      );
    }),
  );
}

function unfitRow(section: Section, { state, tell }: Flaw, unfit: readonly Snapshot[]): Row {
  const kind = section === "volumes" ? "volume" : section === "images" ? "image" : section;
  const last = timeOf(new Date(Math.max(...unfit.map(({ takenAt }) => takenAt.getTime()))));
  const [item = ""] = unfit.map(({ id }) => id);
  return { kind, item, usedBy: [], state, detail: tell(unfit.length, last) };
}
