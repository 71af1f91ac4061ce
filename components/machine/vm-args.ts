import type * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import { trunksOf } from "../../config/lan";
import type { NodeConfig } from "../../config/schema";
import type { RecordedNode } from "../../node/recorded";

type Disk = proxmox.types.input.VmLegacyDisk;
type Initialization = proxmox.types.input.VmLegacyInitialization;
type NetworkDevice = proxmox.types.input.VmLegacyNetworkDevice;

/** What a VM is made from, and what it has already. */
interface Existing {
  /** Volume id of the cloud image, if the machine is made from one. */
  readonly imageVolumeId?: pulumi.Input<string>;
  /** Addresses of its NICs in Proxmox, as the state has them; see `ipConfigs`. */
  readonly ipConfigs?: RecordedNode["ipConfigs"];
}

/** Computes all arguments of a VM. It touches nothing, so tests can check the result as data. */
export function vmArgs(
  name: string,
  node: NodeConfig,
  { imageVolumeId, ipConfigs: recorded = [] }: Existing = {},
): proxmox.VmLegacyArgs {
  const { machine, network } = node;
  return {
    nodeName: machine.proxmoxNode,
    vmId: machine.vmId,
    name,
    description: machine.description,
    tags: machine.tags,
    ...hardwareArgs(machine),
    ...cloneOf(machine),
    disks: diskArgs(machine, imageVolumeId),
    networkDevices: [networkDevice(node), ...network.nics.map((nic) => furtherNic(nic, network))],
    initialization: { ...initializationArgs(node), ipConfigs: ipConfigs(network, recorded) },
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

function networkDevice(node: NodeConfig): NetworkDevice {
  const { network } = node;
  const trunks = trunksOf(node).join(";");
  return {
    ...placeOf(network),
    ...(trunks && { trunks }),
    firewall: network.firewall?.enabled ?? false,
  };
}

function furtherNic(nic: FurtherNic, { firewall }: NodeConfig["network"]): NetworkDevice {
  return { ...placeOf(nic), firewall: nic.firewall ?? firewall?.enabled ?? false };
}

type FurtherNic = NodeConfig["network"]["nics"][number];

const placeOf = ({
  bridge,
  vlan,
  mtu,
  macAddress,
}: Omit<FurtherNic, "address" | "ipv6" | "firewall">): NetworkDevice => ({
  bridge,
  vlanId: vlan,
  model: "virtio",
  ...(mtu !== undefined && { mtu }),
  ...(macAddress && { macAddress }),
});

/**
 * Addresses of the NICs, by their places. The provider cannot take one away (terraform-provider-proxmox, custom_cloud_init.go,
 * EncodeValues), and without its NIC it does nothing (qemu-server, Cloudinit.pm). So those of NICs that are gone stay declared:
 * else every preview would show them, and every `up` would reboot the VM.
 */
function ipConfigs(
  { address, gateway, ipv6, nics }: NodeConfig["network"],
  recorded: NonNullable<Existing["ipConfigs"]>,
): Initialization["ipConfigs"] {
  const first = { ipv4: { address, gateway }, ...(ipv6 && { ipv6 }) };
  const further = nics.map((nic) => ({
    ipv4: { address: nic.address },
    ...(nic.ipv6 && { ipv6: nic.ipv6 }),
  }));
  return [first, ...further, ...recorded.slice(1 + nics.length)];
}

function initializationArgs({ machine, network, ssh }: NodeConfig): Initialization {
  return {
    datastoreId: machine.disk.datastore,
    interface: "ide2",
    dns: { servers: network.dnsServers, domain: network.searchDomain },
    userAccount: { username: ssh.user, keys: ssh.publicKeys },
  };
}
