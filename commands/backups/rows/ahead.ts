/**
 * Snapshots dated in the future. The client chooses the time, so an attacker on a node can make them: as many as
 * the server keeps, and the prune job then removes the real ones.
 */
import {
  SECTIONS,
  isAhead,
  timeOf,
  type Section,
  type Snapshot,
} from "../../../clients/backup-server";
import type { Evidence, Row } from "../evidence";

/** The evidence without those snapshots, because they are no backups. */
export function withoutAhead(evidence: Evidence, now: Date): Evidence {
  const dropAhead = (snapshots: readonly Snapshot[]): Snapshot[] =>
    snapshots.filter((one) => !isAhead(one, now));
  const { volumes, configuration, images } = evidence.snapshots;
  return {
    ...evidence,
    snapshots: {
      volumes: dropAhead(volumes),
      configuration: dropAhead(configuration),
      images: dropAhead(images),
    },
    images: evidence.images.filter(({ snapshot }) => !isAhead(snapshot, now)),
  };
}

export function aheadRows({ snapshots }: Evidence, now: Date): Row[] {
  return SECTIONS.flatMap((section) => {
    const ahead = snapshots[section].filter((one) => isAhead(one, now));
    const items = [...new Set(ahead.map(({ id }) => id))];
    return items.map((item) =>
      aheadRow(
        section,
        item,
        ahead.filter(({ id }) => id === item),
      ),
    );
  });
}

function aheadRow(section: Section, item: string, ahead: readonly Snapshot[]): Row {
  const kind = section === "volumes" ? "volume" : section === "images" ? "image" : section;
  const last = timeOf(new Date(Math.max(...ahead.map(({ takenAt }) => takenAt.getTime()))));
  return {
    kind,
    item,
    usedBy: [],
    state: "ahead",
    detail: `${ahead.length} snapshots are dated in the future, up to ${last}: the prune job removes real ones for them. Is this node under somebody else's control?`,
  };
}
