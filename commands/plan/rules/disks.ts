/** Rules about disks that a VM keeps. */
import { VM } from "../../../config/resource-types";
import type { Change, Value } from "../model";
import { asWord, itemsOf } from "./items";
import type { Details, Rule } from "./rule";

export const DISK_RULES: readonly Rule[] = [
  {
    label: "shrinks-disk",
    severity: "danger",
    explanation: "A disk would get smaller: Proxmox VE refuses it, in the middle of the update.",
    applies: (change: Change): Details => findResized(change, (size, was) => size < was),
  },
  {
    label: "moves-disk",
    severity: "danger",
    explanation:
      "A disk would move to another datastore, for which the VM has to stop: without rebootAfterUpdate the provider refuses it, in the middle of the update.",
    applies: (change: Change): Details =>
      change.new.rebootAfterUpdate === false ? findMoved(change) : undefined,
  },
  {
    label: "moves-disk",
    severity: "caution",
    explanation:
      "A disk moves to another datastore: the VM and its containers stand still until all of it is copied.",
    applies: (change: Change): Details =>
      change.new.rebootAfterUpdate === false ? undefined : findMoved(change),
  },
  {
    label: "grows-disk",
    severity: "info",
    explanation: "A disk grows in place, while containers run; it cannot shrink again.",
    applies: (change: Change): Details => findResized(change, (size, was) => size > was),
  },
];

interface Disk {
  readonly name: string;
  readonly size: number;
  readonly datastore: string;
}

/** Disks that stay and get another size. */
const findResized = (change: Change, differs: (size: number, was: number) => boolean): Details =>
  compareDisks(change, (now, was) =>
    differs(now.size, was.size) ? `${was.size} → ${now.size} GiB` : undefined,
  );

/** The provider shuts the VM down to move one (terraform-provider-proxmox v0.111.1, vm.go, `shutdownForDisksRequired`). */
const findMoved = (change: Change): Details =>
  compareDisks(change, (now, was) =>
    was.datastore && now.datastore && was.datastore !== now.datastore
      ? `${was.datastore} → ${now.datastore} (${was.size} GiB)`
      : undefined,
  );

/** What is said of the disks that a VM had and keeps. */
function compareDisks(
  { type, action, old, new: inputs }: Change,
  describe: (now: Disk, was: Disk) => string | undefined,
): Details {
  if (type !== VM || action !== "update") return undefined;
  const before = new Map(disksOf(old.disks).map((disk) => [disk.name, disk]));
  const found = disksOf(inputs.disks).flatMap((disk) => {
    const was = before.get(disk.name);
    const said = was && describe(disk, was);
    return said ? [`${disk.name}: ${said}`] : [];
  });
  return found.length > 0 ? found : undefined;
}

/** A disk no longer declared is taken from the VM and deleted. */
export function findRemoved({ old, new: inputs }: Change): Details {
  const kept = new Set(disksOf(inputs.disks).map(({ name }) => name));
  const removed = disksOf(old.disks).filter(({ name }) => !kept.has(name));
  return removed.length > 0 ? removed.map(({ name, size }) => `${name} (${size} GiB)`) : undefined;
}

/** The disks of a VM. */
export const disksOf = (disks: Value | undefined): Disk[] =>
  itemsOf(disks).map((disk) => ({
    name: asWord(disk.interface, "disk"),
    size: Number(disk.size ?? 0),
    datastore: asWord(disk.datastoreId, ""),
  }));
