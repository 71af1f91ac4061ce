/** The node's configuration, one item. */
import type { Evidence, Row } from "../evidence";
import { RPO } from "../../../config/backups";
import { judge } from "../judgement";

export function configurationRow({ inventory, snapshots }: Evidence, now: Date): Row {
  const [newest] = snapshots.configuration;
  const judgement = judge(newest, RPO.configuration, now, inventory, "configuration");
  return { kind: "configuration", item: "configuration", usedBy: [], ...judgement };
}
