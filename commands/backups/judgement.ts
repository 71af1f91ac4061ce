/** How old a backup is, and how old it may be. */
import { pathOf, type Snapshot } from "../../clients/snapshots";
import type { Inventory, ItemStatus } from "../site/inventory";
import type { Row } from "./evidence";

export type Judgement = Pick<Row, "state" | "snapshot" | "age" | "rpo" | "detail">;

/**
 * The backups on the server count. The node's status only confirms that the last one is still current, because an
 * unchanged configuration is not backed up again.
 */
export function judge(
  newest: Snapshot | undefined,
  rpo: number,
  now: Date,
  { status }: Inventory,
  key: string,
): Judgement {
  const item = status?.items[key];
  const detail = detailOf(item);
  if (!newest) return { state: "never", rpo, detail };
  const snapshot = pathOf(newest);
  const confirmed =
    item?.snapshot === snapshot && item.lastGood ? new Date(item.lastGood) : undefined;
  const good = Math.max(newest.takenAt.getTime(), confirmed?.getTime() ?? 0);
  const age = secondsSince(new Date(good), now);
  const whole = item?.incomplete !== snapshot;
  return { state: age >= rpo ? "late" : whole ? "ok" : "incomplete", snapshot, age, rpo, detail };
}

function detailOf(item: ItemStatus | undefined): string | undefined {
  if (item?.result === "failed") return `last run failed: ${item.error ?? "?"}`;
  if (item?.excludes) return `without what ${item.excludes} lists`;
  return undefined;
}

export const secondsSince = (then: Date, now: Date): number =>
  Math.max(0, Math.round((now.getTime() - then.getTime()) / 1000));
