/** Checks of the template that a machine is cloned from: the clone has all of its disks, and none gets smaller. */
import { ask } from "../../../clients/proxmox";
import { guestConfig } from "../../../clients/proxmox-answers";
import { parseOptions, toGibibytes } from "../../import/hardware";
import { fail, nodesOf, pass, skip, warn, type Check, type Context, type Finding } from "../types";
import type { NamedNode } from "../types";
import { askCluster } from "./cluster";

const DISK = /^(scsi|virtio|sata|ide)\d+$/;

/** One check for each node that is made from a template. */
export function templateChecks(context: Context): Check[] {
  return nodesOf(context).flatMap((node) => {
    const { image } = node[1].machine;
    if (!image || !("template" in image)) return [];
    const run = askCluster((within, get) => checkTemplate(image, node, within, get));
    return [{ id: `template:${node[0]}`, title: `${node[0]}: template`, run }];
  });
}

async function checkTemplate(
  image: { readonly template: number; readonly node?: string },
  [, { machine }]: NamedNode,
  { managed }: Context,
  get: (path: string) => Promise<unknown>,
): Promise<Finding> {
  if (machine.adopt || managed.has(machine.vmId)) return skip("the VM exists already");
  const path = `/nodes/${image.node ?? machine.proxmoxNode}/qemu/${image.template}/config`;
  const disks = disksIn(await ask(get, path, guestConfig));
  return judgeDisks(image.template, disks, machine.disk.sizeGiB);
}

/** The disks in a guest's configuration, by slot. CD-ROM drives are left out, also that of cloud-init. */
function disksIn(config: Readonly<Record<string, string | number>>): Map<string, number> {
  const drives = Object.entries(config).flatMap(([slot, text]) => {
    const { media, size } = parseOptions(text);
    return DISK.test(slot) && media !== "cdrom" ? [[slot, toGibibytes(size) ?? 0] as const] : [];
  });
  return new Map(drives);
}

function judgeDisks(id: number, disks: Map<string, number>, declared: number): Finding {
  const size = disks.get("scsi0");
  const others = [...disks.keys()].filter((slot) => slot !== "scsi0").join(", ");
  if (size === undefined)
    return fail(
      `template ${id} has ${others || "no disk"}, and a node starts from scsi0`,
      `qm set ${id} --delete ${others || "<slot>"} && qm set ${id} --scsi0 <its volume> --boot order=scsi0`,
    );
  if (size > declared)
    return fail(
      `scsi0 of template ${id} has ${size} GiB, and machine.disk.sizeGiB is ${declared}: no disk gets smaller`,
      `set machine.disk.sizeGiB to ${Math.ceil(size)} or more`,
    );
  if (others)
    return warn(`template ${id} has ${others} too, and so will the VM`, `qm config ${id}`);
  return pass(`scsi0 of template ${id} has ${size} GiB`);
}
