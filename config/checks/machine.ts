import { mayUseContainerd } from "../daemon";
import { DATA_ROOT } from "../node-paths";
import type { NodeConfig } from "../schema";
import { isBefore } from "./daemon/versions";
import type { Report } from "./report";

/** GiB of a system disk that also holds images and what containers write. */
const WITH_LAYERS = 16;

/** Checks that Docker's data goes to the disk that is meant for it, and that the system disk can hold what is left on it. */
export function checkDisks({ machine, engine }: NodeConfig, report: Report): void {
  const root = engine.daemon["data-root"] ?? DATA_ROOT;
  if (machine.dockerDisk && root !== DATA_ROOT) {
    report("engine/daemon/data-root", root, `${DATA_ROOT}, where machine.dockerDisk is mounted`);
  }
  const layers = layersOnSystemDisk({ machine, engine });
  if (layers && machine.disk.sizeGiB < WITH_LAYERS) {
    const allowed = `at least ${WITH_LAYERS} when it also holds ${layers}`;
    report("machine/disk/sizeGiB", machine.disk.sizeGiB, allowed);
  }
}

/** containerd's store lies outside Docker's data-root. */
function layersOnSystemDisk({
  machine,
  engine,
}: Pick<NodeConfig, "machine" | "engine">): string | undefined {
  if (!machine.dockerDisk) return DATA_ROOT;
  const { daemon, version } = engine;
  const store = daemon.features?.["containerd-snapshotter"] ?? !isBefore(version, "29.0");
  if (!store || !mayUseContainerd(daemon)) return undefined;
  return "/var/lib/containerd: without userns-remap and storage-driver, images and what containers write go there, not to machine.dockerDisk";
}

/** Checks that a new VM has an image to be made from, and that a download has one checksum. */
export function checkImage({ machine }: NodeConfig, report: Report): void {
  const { image, adopt, vmId } = machine;
  if (!image && !adopt) report("machine/image", image, "a cloud image or a template");
  if (image && "template" in image && image.template === vmId) {
    report("machine/image/template", image.template, "another VM id than the node's own");
  }
  if (!image || !("url" in image)) return;
  const allowed = "one checksum of the image: sha256 or sha512";
  if (!image.sha256 && !image.sha512) report("machine/image", image, allowed);
  if (image.sha256 && image.sha512) report("machine/image/sha512", image.sha512, allowed);
}

/** A VM whose own Proxmox node is not among those it may run on would be moved at once; no node copies to itself. */
export function checkAvailability({ machine }: NodeConfig, report: Report): void {
  const { proxmoxNode, highAvailability, replication } = machine;
  const { nodes, strict } = highAvailability ?? {};
  const path = "machine/highAvailability";
  if (strict && !nodes) report(`${path}/strict`, true, "false or unset without nodes");
  if (strict && nodes && !(proxmoxNode in nodes))
    report(`${path}/nodes`, nodes, `with ${proxmoxNode}, the VM's own Proxmox node, where strict`);
  if (replication?.target === proxmoxNode)
    report("machine/replication/target", proxmoxNode, "another Proxmox node than the VM's own");
}
