/** Images that containers were made from. */
import { pathOf } from "../../../clients/snapshots";
import { nameOf, type Container, type Inventory } from "../../site/inventory";
import type { Evidence, IndexEvidence, Row } from "../evidence";
import { RPO } from "../../../config/backups";
import { judge } from "../judgement";

export function imageRows({ inventory, images }: Evidence, now: Date): Row[] {
  const users = new Map<string, Container[]>();
  for (const container of inventory.containers)
    users.set(container.Image, [...(users.get(container.Image) ?? []), container]);
  const rows = [...users].map(([id, containers]): Row => {
    const found = images.find(({ ids }) => ids.includes(id))?.snapshot;
    return {
      kind: "image",
      item: imageName(id, inventory, containers),
      usedBy: containers.map(nameOf),
      ...judge(found, RPO.image, now, inventory, "images"),
    };
  });
  return [...rows, ...images.flatMap(unreadableRow)];
}

function unreadableRow({ snapshot, problem }: IndexEvidence): Row[] {
  if (problem === undefined) return [];
  const detail = `cannot be read: ${problem}`;
  return [{ kind: "image", item: pathOf(snapshot), usedBy: [], state: "unknown", detail }];
}

/** A name that people know: a tag, else the reference that the container was made from. */
function imageName(id: string, { images }: Inventory, [container]: readonly Container[]): string {
  const image = images.find(({ Id }) => Id === id);
  return image?.RepoTags?.[0] ?? image?.RepoDigests?.[0] ?? container?.Config.Image ?? id;
}
