/** Bind mounts. No backup covers one unless it lies within something else that is backed up. */
import { nameOf, type Mount } from "../../site/inventory";
import type { Evidence, Row } from "../evidence";

/** Sockets, devices and the kernel's own file systems (Filesystem Hierarchy Standard, 3.15, 6.1.4 and 6.1.7). */
const NO_DATA = ["/run", "/var/run", "/proc", "/sys", "/dev"];

export function bindRows({ inventory, configurationPaths }: Evidence): Row[] {
  const sources = new Map<string, string[]>();
  for (const container of inventory.containers)
    for (const { Source } of (container.Mounts ?? []).filter(isBind))
      sources.set(Source, [...(sources.get(Source) ?? []), nameOf(container)]);
  return [...sources].map(([item, usedBy]) => {
    const base = { kind: "bind mount", item, usedBy: [...new Set(usedBy)] } as const;
    if (isBelow(item, NO_DATA)) return { ...base, state: "no data" };
    if (isBelow(item, [`${inventory.root}/volumes`]))
      return { ...base, state: "ok", detail: "the volumes, each by itself" };
    if (isBelow(item, configurationPaths))
      return { ...base, state: "ok", detail: "part of the configuration" };
    return { ...base, state: "not covered", detail: "bind mount: only volumes are backed up" };
  });
}

const isBind = ({ Type }: Mount): boolean => Type === "bind";

const isBelow = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || path.startsWith(`${folder.replace(/\/$/, "")}/`));
