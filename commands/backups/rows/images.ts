/** Images that containers were made from. */
import { nameOf, type Container, type Inventory } from "../../site/inventory";
import type { Evidence, Row } from "../evidence";
import { RPO } from "../../../config/backups";
import { judge } from "../judgement";

export function imageRows({ inventory, images }: Evidence, now: Date): Row[] {
  const users = new Map<string, Container[]>();
  for (const container of inventory.containers)
    users.set(container.Image, [...(users.get(container.Image) ?? []), container]);
  return [...users].map(([id, containers]) => {
    const found = images.find(({ ids }) => ids.includes(id))?.snapshot;
    return {
      kind: "image",
      item: imageName(id, inventory, containers),
      usedBy: containers.map(nameOf),
      ...judge(found, RPO.image, now, inventory, "images"),
    };
  });
}

/** A name that people know: a tag, else the reference that the container was made from. */
function imageName(id: string, { images }: Inventory, [container]: readonly Container[]): string {
  const image = images.find(({ Id }) => Id === id);
  return image?.RepoTags?.[0] ?? image?.RepoDigests?.[0] ?? container?.Config.Image ?? id;
}
