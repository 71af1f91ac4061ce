/** Checks of datastores: they exist, are active, accept the content types, and have enough space. */
import type { z } from "zod";
import { ask } from "../../../clients/proxmox";
import { datastores } from "../../../clients/proxmox-answers";
import { listGuests } from "../../../clients/proxmox-guests";
import { fail, nodesOf, pass, skip, warn, type Check, type Context, type Finding } from "../types";
import type { NamedNode } from "../types";
import { askCluster } from "./cluster";

type Datastore = z.output<typeof datastores>[number];

/** What the nodes of a stack need of a datastore on a Proxmox node. */
interface Wanted {
  readonly host: string;
  readonly name: string;
  readonly content: Set<string>;
  /** Size of the disks in GiB, by VM id. */
  readonly disks: Map<number, number>;
  /** Keys of nodes whose disks use io_uring. */
  readonly uring: Set<string>;
}

type Get = (path: string) => Promise<unknown>;

const GIB = 1024 ** 3;
/** Storage types whose volumes take their whole size at once (pve-storage, LVMPlugin.pm). */
const THICK = new Set(["lvm", "iscsidirect"]);

/** Storage types on which io_uring may hang; Proxmox itself does not use it there (qemu-server, storage_allows_io_uring_default). */
const HANGS = new Set(["lvm", "cifs"]);

/** One check for each datastore, and one for the backup storage on each Proxmox node. */
export function datastoreChecks(context: Context): Check[] {
  const hosts = [...new Set(nodesOf(context).map(([, { machine }]) => machine.proxmoxNode))];
  const twice = findDoubleDownloads(nodesOf(context));
  const own = [...collectWanted(nodesOf(context)).values()].map((one) => ({
    id: `datastore:${one.host}/${one.name}`,
    title: `Datastore ${one.name} on ${one.host}`,
    run: askCluster((_, get) => checkDatastore(one, twice.get(one.name), get)),
  }));
  const backup = hosts.map((host) => ({
    id: `backup:${host}`,
    title: `Backup storage on ${host}`,
    run: askCluster((_, get) => checkBackupStorage(host, get)),
  }));
  return [...own, ...backup];
}

function collectWanted(nodes: readonly NamedNode[]): Map<string, Wanted> {
  const all = new Map<string, Wanted>();
  const wantedAt = (host: string, name: string): Wanted => {
    const key = `${host}/${name}`;
    const one = all.get(key) ?? {
      host,
      name,
      content: new Set(),
      disks: new Map(),
      uring: new Set(),
    };
    all.set(key, one);
    return one;
  };
  for (const [, { machine }] of nodes) {
    const { image, proxmoxNode } = machine;
    if (image && "url" in image)
      wantedAt(image.node ?? proxmoxNode, image.datastore).content.add("import");
    addDisks(machine, (datastore) => wantedAt(proxmoxNode, datastore));
  }
  return all;
}

function addDisks(machine: NamedNode[1]["machine"], of: (datastore: string) => Wanted): void {
  for (const key of ["disk", "dockerDisk"] as const) {
    const disk = machine[key];
    if (!disk) continue;
    const { content, disks, uring } = of(disk.datastore);
    content.add("images");
    disks.set(machine.vmId, (disks.get(machine.vmId) ?? 0) + disk.sizeGiB);
    if (disk.aio === "io_uring" && !machine.adopt) uring.add(`machine.${key}.aio`);
  }
}

/** Finds images that more than one Proxmox node downloads: their names, by datastore. */
function findDoubleDownloads(nodes: readonly NamedNode[]): Map<string, string> {
  const first = new Map<string, string>();
  const twice = new Map<string, string>();
  for (const [, { machine }] of nodes) {
    const { image, proxmoxNode, adopt } = machine;
    if (!image || !("url" in image) || adopt) continue;
    const { datastore: store, fileName, node: host = proxmoxNode } = image;
    const file = `${store}:${fileName}`;
    if ((first.get(file) ?? host) !== host) twice.set(store, fileName);
    first.set(file, host);
  }
  return twice;
}

async function checkDatastore(one: Wanted, twice: string | undefined, get: Get): Promise<Finding> {
  const stores = await ask(get, `/nodes/${one.host}/storage`, datastores);
  const found = stores.find(({ storage }) => storage === one.name);
  if (!found)
    return fail(
      "does not exist, or the token may not see it",
      `pvesm status --storage ${one.name}`,
    );
  if (!found.active) return fail("not active", `pvesm set ${one.name} --disable 0`);
  const content = found.content.split(",");
  const missing = [...one.content].filter((type) => !content.includes(type));
  if (missing.length > 0) {
    const all = [...content, ...missing].join(",");
    return fail(
      `lacks content type ${missing.join(", ")}`,
      `pvesm set ${one.name} --content ${all}`,
    );
  }
  if (found.shared && twice)
    return fail(
      `several Proxmox nodes share it, and more than one downloads ${twice}: the second is refused`,
      "set machine.image.node to the same Proxmox node for all of them",
    );
  return checkAio(one, found, checkSpace(one, found, await listGuests(get)));
}

function checkAio({ uring }: Wanted, { type }: Datastore, space: Finding): Finding {
  if (space.status !== "pass" || !HANGS.has(type) || uring.size === 0) return space;
  const what = `with io_uring a disk may hang on a datastore of type ${type}`;
  return warn(what, `set ${[...uring].join(" and ")} to native`);
}

/** Checks the free space for the disks that do not exist yet. */
function checkSpace(
  { name, disks, content }: Wanted,
  { type, avail }: Datastore,
  existing: readonly { vmid?: number }[],
): Finding {
  const there = new Set(existing.map(({ vmid }) => vmid));
  const needed = [...disks].reduce((sum, [id, size]) => sum + (there.has(id) ? 0 : size), 0);
  const has = `has ${[...content].join(" and ")}`;
  if (avail === undefined || needed === 0) return pass(has);
  const free = Math.floor(avail / GIB);
  if (free >= needed) return pass(`${has}; ${free} GiB free, ${needed} GiB needed`);
  const short = `${free} GiB free, ${needed} GiB needed`;
  const fix = `pvesm list ${name}  # what takes the space?`;
  return THICK.has(type) ? fail(short, fix) : warn(`${short}; its volumes grow as they fill`, fix);
}

async function checkBackupStorage(host: string, get: Get): Promise<Finding> {
  const stores = await ask(get, `/nodes/${host}/storage`, datastores);
  const found = stores.filter(({ type }) => type === "pbs");
  if (found.length === 0) return skip("the token sees no storage of type pbs");
  const names = found.map(({ storage }) => storage).join(", ");
  const down = found.find(({ active }) => !active);
  return down
    ? warn(`${down.storage} is not active`, `pvesm status --storage ${down.storage}`)
    : pass(names);
}
