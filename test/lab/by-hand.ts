/** A VM as people make one: clicked together in Proxmox, then a page of commands in a shell. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NETWORK, type Lab } from "../../lab/lib/services";
import type { Proxmox } from "./support";

const IMAGE = "by-hand.qcow2";

/** Makes and starts a VM with 2 cores, one disk of 24 GiB and the lab's key, without any help of the program. */
export async function createByHand(
  lab: Lab,
  proxmox: Proxmox,
  { vmId, name, address }: { vmId: number; name: string; address: string },
): Promise<void> {
  await proxmox.run("/nodes/pve01/storage/local/download-url", {
    content: "import",
    filename: IMAGE,
    url: lab.imageUrl,
  });
  await proxmox.run("/nodes/pve01/qemu", {
    vmid: vmId,
    name,
    cores: 2,
    // The lab gives a guest a sixteenth of it.
    memory: 32768,
    cpu: "host",
    ostype: "l26",
    scsihw: "virtio-scsi-pci",
    scsi0: `nvme-pool:0,import-from=local:import/${IMAGE},discard=on`,
    ide2: "nvme-pool:cloudinit",
    boot: "order=scsi0",
    net0: "virtio,bridge=vmbr0,tag=20",
    serial0: "socket",
    agent: "1",
    onboot: 1,
    description: "asked for by astronomy, ticket 4711",
    ciuser: "ubuntu",
    sshkeys: encodeURIComponent(`${lab.credentials.publicKey}\n`),
    ipconfig0: `ip=${address}/24,gw=${NETWORK.host}`,
    nameserver: NETWORK.dns,
  });
  await proxmox.run(`/nodes/pve01/qemu/${vmId}/resize`, { disk: "scsi0", size: "24G" }, "PUT");
  await proxmox.run(`/nodes/pve01/qemu/${vmId}/status/start`);
}

/** The page of commands, as root, with the lab's addresses in place of the Internet's. */
export function byHand(lab: Lab): string {
  const { agent, busybox } = lab.images;
  const registry = `${NETWORK.registry}:5000`;
  const variables = {
    MIRROR: `http://${NETWORK.mirror}/debian`,
    REGISTRY: registry,
    AGENT: `${registry}/${agent.repository}:${agent.tag}`,
    AGENT_SECRET: lab.credentials.agentSecret,
    BUSYBOX: `${registry}/${busybox.repository}:${busybox.tag}`,
  };
  const lines = Object.entries(variables).map(([key, value]) => `${key}='${value}'`);
  return [...lines, readFileSync(join(__dirname, "by-hand.sh"), "utf8")].join("\n");
}
