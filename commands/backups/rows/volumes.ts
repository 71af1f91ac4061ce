/** Volumes: those on the node, and those that only the backups still have. */
import { pathOf } from "../../../clients/snapshots";
import { nameOf, ownersOf, type Volume } from "../../site/inventory";
import type { Evidence, Row } from "../evidence";
import { RPO } from "../../../config/backups";
import { judge } from "../judgement";

export function volumeRows({ inventory, snapshots }: Evidence, now: Date): Row[] {
  return inventory.volumes.map((volume): Row => {
    const item = volume.Name;
    const usedBy = ownersOf(item, inventory.containers).map(nameOf);
    const base = { kind: "volume", item, usedBy } as const;
    if (isExcluded(volume)) return { ...base, state: "excluded", detail: exclusionOf(volume) };
    const newest = snapshots.volumes.find(({ id }) => id === item);
    return { ...base, ...judge(newest, RPO.volume, now, inventory, `volume/${item}`) };
  });
}

const EXCLUDED = "docker-node.backup";
const MADE_FOR = "docker-node.recovery";

const isExcluded = ({ Labels }: Volume): boolean => Labels?.[EXCLUDED] === "false";

function exclusionOf({ Labels }: Volume): string {
  const origin = Labels?.[MADE_FOR];
  return origin ? `made by a recovery of ${origin}` : `label ${EXCLUDED}=false`;
}

/** Volumes that a person might look for after a loss. */
export function goneRows({ inventory, snapshots }: Evidence): Row[] {
  const here = new Set(inventory.volumes.map(({ Name }) => Name));
  const newest = new Map([...snapshots.volumes].reverse().map((one) => [one.id, one]));
  return [...newest.values()]
    .filter(({ id }) => !here.has(id))
    .map((one) => ({
      kind: "volume",
      item: one.id,
      usedBy: [],
      state: "gone",
      snapshot: pathOf(one),
    }));
}
