/** The coverage map: every volume, bind mount and image of a node, with its last good backup or the lack of one. */
import type { Container, Inventory, Mount, Volume } from "../site/inventory";
import { nameOf, ownersOf } from "../site/inventory";
import type { Section, Snapshot } from "../../clients/backup-server";
import { pathOf } from "../../clients/backup-server";

const HOUR = 3600;

/** Seconds of work that may be lost (specification, section 4; images are backed up weekly). */
export const RPO = {
  volume: 24 * HOUR,
  configuration: 4 * HOUR,
  image: 7 * 24 * HOUR,
  vm: 24 * HOUR,
} as const;

export type State =
  /** Backed up within its RPO. */
  | "ok"
  /** The last good backup is older than that. */
  | "late"
  | "never"
  /** On purpose, by its label. */
  | "excluded"
  /** No backup looks at it. */
  | "not covered"
  /** Nothing that could be lost, such as a socket. */
  | "no data"
  /** Not on the node any more, but in the backups. */
  | "gone"
  /** It could not be asked. */
  | "unknown";

export interface Row {
  readonly kind: "volume" | "bind mount" | "image" | "configuration" | "vm";
  readonly item: string;
  /** Containers that use it. */
  readonly usedBy: readonly string[];
  readonly state: State;
  /** The last good snapshot. */
  readonly snapshot?: string;
  /** Seconds since it was last known to be backed up as it is. */
  readonly age?: number;
  /** Seconds allowed. */
  readonly rpo?: number;
  /** Why, or what went wrong last. */
  readonly detail?: string;
}

/** Everything the map is drawn from. */
export interface Evidence {
  readonly inventory: Inventory;
  readonly snapshots: Readonly<Record<Section, readonly Snapshot[]>>;
  /** Ids of images by snapshot of the images section, the newest first. */
  readonly images: readonly { readonly snapshot: Snapshot; readonly ids: readonly string[] }[];
  /** Paths that the configuration's backup takes. */
  readonly configurationPaths: readonly string[];
  /** The VM's newest backup; null without one, undefined where Proxmox was not asked. */
  readonly vm?: { readonly volume: string; readonly takenAt: Date } | null;
  readonly vmId: number;
}

/** Whether anything is beyond its RPO. */
export const isLate = (rows: readonly Row[]): boolean =>
  rows.some(({ state }) => state === "late" || state === "never" || state === "unknown");

/** The map of one node. */
export function coverage(evidence: Evidence, now: Date): Row[] {
  return [
    ...volumeRows(evidence, now),
    ...goneRows(evidence),
    ...bindRows(evidence),
    ...imageRows(evidence, now),
    configurationRow(evidence, now),
    vmRow(evidence, now),
  ];
}

function volumeRows({ inventory, snapshots }: Evidence, now: Date): Row[] {
  return inventory.volumes.map((volume): Row => {
    const item = volume.Name;
    const usedBy = ownersOf(item, inventory.containers).map(nameOf);
    const base = { kind: "volume", item, usedBy } as const;
    if (isExcluded(volume)) return { ...base, state: "excluded", detail: exclusion(volume) };
    const newest = snapshots.volumes.find(({ id }) => id === item);
    return { ...base, ...judged(newest, RPO.volume, now, inventory, `volume/${item}`) };
  });
}

const EXCLUDED = "docker-node.backup";
const MADE_FOR = "docker-node.recovery";

const isExcluded = ({ Labels }: Volume): boolean => Labels?.[EXCLUDED] === "false";

function exclusion({ Labels }: Volume): string {
  const origin = Labels?.[MADE_FOR];
  return origin ? `made by a recovery of ${origin}` : `label ${EXCLUDED}=false`;
}

/** What a person might look for after a loss. */
function goneRows({ inventory, snapshots }: Evidence): Row[] {
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

/** Sockets, devices and the kernel's own file systems (Filesystem Hierarchy Standard, 3.15, 6.1.4 and 6.1.7). */
const NO_DATA = ["/run", "/var/run", "/proc", "/sys", "/dev"];

function bindRows({ inventory, configurationPaths }: Evidence): Row[] {
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

function imageRows({ inventory, images }: Evidence, now: Date): Row[] {
  const users = new Map<string, Container[]>();
  for (const container of inventory.containers)
    users.set(container.Image, [...(users.get(container.Image) ?? []), container]);
  return [...users].map(([id, containers]) => {
    const found = images.find(({ ids }) => ids.includes(id))?.snapshot;
    return {
      kind: "image",
      item: imageName(id, inventory, containers),
      usedBy: containers.map(nameOf),
      ...judged(found, RPO.image, now, inventory, "images"),
    };
  });
}

/** A name people know: a tag, else what the container was made from. */
function imageName(id: string, { images }: Inventory, [container]: readonly Container[]): string {
  const image = images.find(({ Id }) => Id === id);
  return image?.RepoTags?.[0] ?? image?.RepoDigests?.[0] ?? container?.Config.Image ?? id;
}

function configurationRow({ inventory, snapshots }: Evidence, now: Date): Row {
  const [newest] = snapshots.configuration;
  const judgement = judged(newest, RPO.configuration, now, inventory, "configuration");
  return { kind: "configuration", item: "configuration", usedBy: [], ...judgement };
}

function vmRow({ vm, vmId }: Evidence, now: Date): Row {
  const base = { kind: "vm", item: String(vmId), usedBy: [], rpo: RPO.vm } as const;
  if (vm === undefined)
    return { ...base, state: "unknown", detail: "Proxmox VE could not be asked" };
  if (vm === null) return { ...base, state: "never" };
  const age = secondsSince(vm.takenAt, now);
  return { ...base, snapshot: vm.volume, age, state: age < RPO.vm ? "ok" : "late" };
}

type Judgement = Pick<Row, "state" | "snapshot" | "age" | "rpo" | "detail">;

/**
 * What PBS has counts; the node's word only says that what is there is still what the node has, since a
 * configuration that did not change is not backed up again.
 */
function judged(
  newest: Snapshot | undefined,
  rpo: number,
  now: Date,
  { status }: Inventory,
  key: string,
): Judgement {
  const item = status?.items[key];
  const detail = item?.result === "failed" ? `last run failed: ${item.error ?? "?"}` : undefined;
  if (!newest) return { state: "never", rpo, detail };
  const snapshot = pathOf(newest);
  const confirmed =
    item?.snapshot === snapshot && item.lastGood ? new Date(item.lastGood) : undefined;
  const good = Math.max(newest.takenAt.getTime(), confirmed?.getTime() ?? 0);
  const age = secondsSince(new Date(good), now);
  return { state: age < rpo ? "ok" : "late", snapshot, age, rpo, detail };
}

const secondsSince = (then: Date, now: Date): number =>
  Math.max(0, Math.round((now.getTime() - then.getTime()) / 1000));
