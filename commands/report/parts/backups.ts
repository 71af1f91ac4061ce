/** Backups against the age they may reach, and the last drill. */
import { isLate } from "../../backups/coverage";
import type { Row as BackupRow } from "../../backups/evidence";
import { duration } from "../../duration";
import { markup, type Html } from "../html";
import { ifKnown, section, sign, table, time } from "../elements";
import type { DrillFacts, NodeReport } from "../model";
import type { Mark } from "../verdict";

export const backupsPart = ({ backups }: NodeReport): Html =>
  section(
    "backups",
    "Backups",
    backups ? ifKnown(backups, backupTable) : markup`<p>The node declares no backups.</p>`,
  );

const backupTable = (rows: readonly BackupRow[]): Html =>
  table(
    "Everything that could be lost, with its last good backup",
    ["Item", "Kind", "State", "Age", "May reach (RPO)", "Used by", "Detail"],
    rows.map((row) => [
      row.item,
      row.kind,
      sign(markOf(row), row.state),
      lasting(row.age),
      lasting(row.rpo),
      row.usedBy.join(", "),
      row.detail ?? "",
    ]),
  );

function markOf(row: BackupRow): Mark {
  if (row.state === "unknown" || row.state === "not covered") return "unknown";
  if (isLate([row])) return "bad";
  return row.state === "ok" ? "good" : "none";
}

const lasting = (seconds?: number): string => (seconds === undefined ? "" : duration(seconds));

export const drillPart = ({ drill }: NodeReport): Html =>
  section(
    "drill",
    "Last drill",
    ifKnown(drill, (found) => [markup`<p>Rehearsed ${time(found.at)}.</p>`, drillTable(found)]),
  );

const drillTable = ({ rehearsals }: DrillFacts): Html =>
  table(
    "Restores, rehearsed in the lab",
    ["Kind", "State", "Took", "May take (RTO)", "Lost", "May lose (RPO)"],
    rehearsals.map(({ kind, ok, rto, rpo, error }) => [
      kind,
      sign(ok ? "good" : "bad", ok ? "came back" : (error ?? "failed")),
      ...[rto.measured, rto.required, rpo.measured, rpo.required].map(lasting),
    ]),
  );
