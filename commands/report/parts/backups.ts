/** Backups against the age they may reach, and the last drill. */
import { isLate } from "../../backups/coverage";
import type { Row as BackupRow } from "../../backups/evidence";
import { durationText } from "../../duration";
import { fillMarkup, type Html } from "../html";
import { ifKnown, makeSection, sign, makeTable, makeTime } from "../elements";
import type { DrillFacts, NodeReport } from "../model";
import type { Mark } from "../verdict";

export const backupsPart = ({ backups }: NodeReport): Html =>
  makeSection(
    "backups",
    "Backups",
    backups ? ifKnown(backups, backupTable) : fillMarkup`<p>The node declares no backups.</p>`,
  );

const backupTable = (rows: readonly BackupRow[]): Html =>
  makeTable(
    "Everything that could be lost, with its last good backup",
    ["Item", "Kind", "State", "Age", "May reach (RPO)", "Used by", "Detail"],
    rows.map((row) => [
      row.item,
      row.kind,
      sign(markOf(row), row.state),
      lastingText(row.age),
      lastingText(row.rpo),
      row.usedBy.join(", "),
      row.detail ?? "",
    ]),
  );

function markOf(row: BackupRow): Mark {
  if (row.state === "unknown" || row.state === "not covered") return "unknown";
  if (isLate([row])) return "bad";
  return row.state === "ok" ? "good" : "none";
}

const lastingText = (seconds?: number): string =>
  seconds === undefined ? "" : durationText(seconds);

export const drillPart = ({ drill }: NodeReport): Html =>
  makeSection(
    "drill",
    "Last drill",
    ifKnown(drill, (found) => [
      fillMarkup`<p>Rehearsed ${makeTime(found.at)}.</p>`,
      drillTable(found),
    ]),
  );

const drillTable = ({ rehearsals }: DrillFacts): Html =>
  makeTable(
    "Restores, rehearsed in the lab",
    ["Kind", "State", "Took", "May take (RTO)", "Lost", "May lose (RPO)"],
    rehearsals.map(({ kind, ok, rto, rpo, error }) => [
      kind,
      sign(ok ? "good" : "bad", ok ? "came back" : (error ?? "failed")),
      ...[rto.measured, rto.required, rpo.measured, rpo.required].map(lastingText),
    ]),
  );
