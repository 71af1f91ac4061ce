import type * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import { trunksOf } from "../../config/lan";
import type { NodeConfig } from "../../config/schema";

type Disk = proxmox.types.input.VmLegacyDisk;
type Initialization = proxmox.types.input.VmLegacyInitialization;

/** Computes all arguments of a VM. It touches nothing, so tests can check the result as data. */
export function vmArgs(
  name: string,
  node: NodeConfig,
  imageVolumeId?: pulumi.Input<string>,
): proxmox.VmLegacyArgs {
  const { machine } = node;
  return {
    nodeName: machine.proxmoxNode,
    vmId: machine.vmId,
    name,
    description: machine.description,
    tags: machine.tags,
    ...hardwareArgs(machine),
    ...cloneOf(machine),
    disks: diskArgs(machine, imageVolumeId),
    networkDevices: [networkDevice(node)],
    initialization: initializationArgs(node),
    ...lifecycleArgs(machine),
  };
}

/** Defaults are set explicitly, because Proxmox returns an unset block as a difference (pulumi-proxmoxve#35). */
function hardwareArgs({
  cpu,
  memoryGiB,
  agentTimeoutSeconds,
}: NodeConfig["machine"]): Partial<proxmox.VmLegacyArgs> {
  return {
    cpu: { cores: cpu.cores, sockets: 1, type: cpu.type },
    memory: { dedicated: memoryGiB * 1024, floating: 0 },
    scsiHardware: "virtio-scsi-single",
    operatingSystem: { type: "l26" },
    machine: "q35",
    bios: "seabios",
    // Ubuntu's cloud images log to the first serial port, which Proxmox shows as the console.
    serialDevices: [{ device: "socket" }],
    vga: { type: "serial0" },
    // The wait is short, because the agent serves only backups and shutdown. The configuration has the address.
    agent: { enabled: true, timeout: `${agentTimeoutSeconds}s`, trim: true, type: "virtio" },
    bootOrders: ["scsi0"],
  };
}

function lifecycleArgs(machine: NodeConfig["machine"]): Partial<proxmox.VmLegacyArgs> {
  const { order, upDelaySeconds, downDelaySeconds } = machine.startup;
  return {
    started: true,
    onBoot: machine.onBoot,
    startup: { order, upDelay: upDelaySeconds, downDelay: downDelaySeconds },
    protection: machine.protect,
    rebootAfterUpdate: machine.rebootAfterUpdate,
    stopOnDestroy: true,
    purgeOnDestroy: true,
    deleteUnreferencedDisksOnDestroy: true,
  };
}

function cloneOf({ image, proxmoxNode }: NodeConfig["machine"]): Partial<proxmox.VmLegacyArgs> {
  if (!image || !("template" in image)) return {};
  return { clone: { vmId: image.template, nodeName: image.node ?? proxmoxNode, full: true } };
}

function diskArgs(machine: NodeConfig["machine"], importFrom?: pulumi.Input<string>): Disk[] {
  const system = { ...diskOf("scsi0", machine.disk), ...(importFrom ? { importFrom } : {}) };
  return machine.dockerDisk ? [system, diskOf("scsi1", machine.dockerDisk)] : [system];
}

/** Arguments of a disk on NVMe: it is an SSD to the guest, it is trimmed, and it has its own I/O thread. */
function diskOf(slot: string, { sizeGiB, datastore, aio }: NodeConfig["machine"]["disk"]): Disk {
  return {
    interface: slot,
    datastoreId: datastore,
    size: sizeGiB,
    ssd: true,
    discard: "on",
    iothread: true,
    cache: "none",
    aio,
    backup: true,
    replicate: true,
  };
}

function networkDevice(node: NodeConfig): proxmox.types.input.VmLegacyNetworkDevice {
  const { bridge, vlan, firewall, mtu, macAddress } = node.network;
  const trunks = trunksOf(node).join(";");
  return {
    bridge,
    vlanId: vlan,
    ...(trunks && { trunks }),
    model: "virtio",
    firewall: firewall?.enabled ?? false,
    ...(mtu !== undefined && { mtu }),
    ...(macAddress && { macAddress }),
  };
}

function initializationArgs({ machine, network, ssh }: NodeConfig): Initialization {
  return {
    datastoreId: machine.disk.datastore,
    interface: "ide2",
    ipConfigs: [
      {
        ipv4: { address: network.address, gateway: network.gateway },
        ...(network.ipv6 && { ipv6: network.ipv6 }),
      },
    ],
    dns: { servers: network.dnsServers, domain: network.searchDomain },
    userAccount: { username: ssh.user, keys: ssh.publicKeys },
  };
}
