/** The coverage map: every volume, bind mount and image of a node, with its last good backup or the lack of one. */
import type { Evidence, Row, State } from "./evidence";
import { bindRows } from "./rows/bind-mounts";
import { configurationRow } from "./rows/configuration";
import { imageRows } from "./rows/images";
import { unfitRows, withoutUnfit } from "./rows/unfit";
import { retentionRows } from "./rows/retention";
import { vmRow } from "./rows/vm";
import { goneRows, volumeRows } from "./rows/volumes";

const ALARMING: readonly State[] = [
  ...(["late", "never", "incomplete", "broken", "ahead", "differs", "unknown"] as const),
];

/** Whether anything is beyond its RPO or about to be, or cannot be restored whole. */
export const isLate = (rows: readonly Row[]): boolean =>
  rows.some(({ state }) => ALARMING.includes(state));

/** The map of one node. */
export function mapCoverage(evidence: Evidence, now: Date): Row[] {
  const honest = withoutUnfit(evidence, now);
  return [
    ...volumeRows(honest, now),
    ...goneRows(honest),
    ...bindRows(honest),
    ...imageRows(honest, now),
    configurationRow(honest, now),
    vmRow(honest, now),
    ...retentionRows(honest),
    ...unfitRows(evidence, now),
  ];
}
