import type { NodeConfig } from "../schema";
import type { Report } from "./report";

export function checkDisks({ machine, engine }: NodeConfig, report: Report): void {
  const root = engine.daemon["data-root"] ?? "/var/lib/docker";
  if (machine.dockerDisk && root !== "/var/lib/docker") {
    report("engine/daemon/data-root", root, "/var/lib/docker, where machine.dockerDisk is mounted");
  }
  if (!machine.dockerDisk && machine.disk.sizeGiB < 16) {
    report(
      "machine/disk/sizeGiB",
      machine.disk.sizeGiB,
      "at least 16 when it also holds /var/lib/docker",
    );
  }
}

export function checkImage({ machine }: NodeConfig, report: Report): void {
  const { image, adopt, vmId } = machine;
  if (!image && !adopt) report("machine/image", image, "a cloud image or a template");
  if (image && "template" in image && image.template === vmId) {
    report("machine/image/template", image.template, "another VM id than the node's own");
  }
  if (image && "url" in image && (image.sha256 === undefined) === (image.sha512 === undefined)) {
    report("machine/image/sha256", image.sha256, "one checksum of the image: sha256 or sha512");
  }
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
