import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";

/*
 * Resources that exist before the program does. Each is imported under its id, then compared; what the
 * configuration has no word for is ignored, so that it stays as it is found. Taking the entry out of the
 * configuration ends that, and the next plan shows what the declared shape costs.
 */

type Options = pulumi.CustomResourceOptions;

const each = (block: string, fields: readonly string[]): string[] =>
  fields.map((field) => `${block}.${field}`);

const CPU = [
  "affinity",
  "architecture",
  "flags",
  "hotplugged",
  "limit",
  "numa",
  "sockets",
  "units",
];
const DISK = ["aio", "backup", "cache", "discard", "fileFormat", "iothread", "queues", "replicate"];
const NIC = ["disconnected", "macAddress", "model", "mtu", "queues", "rateLimit", "trunks"];

/** Properties of an adopted VM that are left as they are. */
export const KEPT_OF_VM: readonly string[] = [
  // Upstream's import does not read them, and applying agent or watchdog restarts the machine.
  ...["agent", "cdrom", "watchdog"],
  // Hardware that is not in the configuration: a change needs a reboot, or gives the guest's NIC another name.
  ...[
    "acpi",
    "amdSev",
    "audioDevice",
    "bios",
    "bootOrders",
    "efiDisk",
    "hookScriptFileId",
    "hostpcis",
  ],
  ...["hotplug", "keyboardLayout", "kvmArguments", "machine", "numas", "operatingSystem", "poolId"],
  ...["rngs", "scsiHardware", "serialDevices", "smbios", "tabletDevice", "tpmState", "usbs", "vga"],
  "virtiofs",
  ...each("cpu", CPU),
  ...each("memory", ["floating", "hugepages", "keepHugepages", "shared"]),
  ...each("networkDevices[0]", NIC),
  // The guest has its address; other data make another instance to cloud-init, which then starts anew.
  "initialization",
];

/**
 * Options of an adopted VM; without a firewall in the configuration, whatever Proxmox has goes on. One that is `known` is in the
 * state: another Proxmox node in its id would make Pulumi import it in place of itself (step_generator.go, isImport).
 */
export function adoptVm({ machine, network }: NodeConfig, known = false): Options {
  if (!machine.adopt) return {};
  const disks = machine.dockerDisk ? ["disks[0]", "disks[1]"] : ["disks[0]"];
  const kept = disks.flatMap((disk) => each(disk, [...DISK, "serial", "ssd"]));
  const firewall = network.firewall ? [] : ["networkDevices[0].firewall"];
  return {
    ...(known ? {} : { import: `${machine.proxmoxNode}/${machine.vmId}` }),
    ignoreChanges: [...KEPT_OF_VM, ...kept, ...firewall],
  };
}

/** Properties of an adopted network that say the same in other words, such as options that are defaults. */
export const KEPT_OF_NETWORK: readonly string[] = [
  "attachable",
  "ipamDriver",
  "ipamOptions",
  "ipv6",
  "labels",
  "options",
];

/** Options of the Docker network `name`, which is either the adopted one or made. */
export function adoptNetwork(node: NodeConfig, name: string): Options {
  const id = node.adopt.networks[name];
  return id ? { ...guard(node), import: id, ignoreChanges: [...KEPT_OF_NETWORK] } : {};
}

/** Options of the volume `name`, which is either the adopted one or made. */
export function adoptVolume(node: NodeConfig, name: string): Options {
  return node.adopt.volumes.includes(name) ? { import: name } : {};
}

/**
 * Properties of an adopted container that are left as they are: everything that upstream reads of one
 * (resource_docker_container_funcs.go, resourceDockerContainerRead) and everything declared. Most of it
 * could only be changed by a new container.
 */
export const KEPT_OF_CONTAINER: readonly (keyof docker.ContainerArgs)[] = [
  ...(["capabilities", "command", "cpuSet", "cpuShares", "cpus", "deviceCgroupRules"] as const),
  ...(["deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops", "dns"] as const),
  ...(["dnsOpts", "dnsSearches", "domainname", "entrypoints", "groupAdds", "healthcheck"] as const),
  ...(["hostname", "hosts", "image", "init", "ipcMode", "labels", "logDriver", "logOpts"] as const),
  ...(["maxRetryCount", "memory", "memoryReservation", "memorySwap", "mounts", "name"] as const),
  ...(["networkMode", "networksAdvanced", "platform", "ports", "privileged"] as const),
  ...([
    "publishAllPorts",
    "readOnly",
    "restart",
    "rm",
    "runtime",
    "securityOpts",
    "shmSize",
  ] as const),
  ...([
    "stdinOpen",
    "stopSignal",
    "stopTimeout",
    "storageOpts",
    "sysctls",
    "tmpfs",
    "tty",
  ] as const),
  ...(["user", "usernsMode", "volumes", "workingDir"] as const),
  // The provider's own, to which nothing in Docker answers.
  ...(["containerReadRefreshTimeoutMilliseconds", "mustRun", "removeVolumes", "start"] as const),
  "waitTimeout",
];

/**
 * Arguments of an adopted container. Its environment is not read by upstream, and it may hold a secret, so
 * it has to be declared as none: left out, or ignored, it would be "computed" and ask for a replacement.
 */
export function keptContainer(args: docker.ContainerArgs): docker.ContainerArgs {
  return { ...args, envs: [] };
}

/** Options of the Portainer agent, which is either the adopted one or made. */
export function adoptAgent(node: NodeConfig): Options {
  const { agent } = node.adopt;
  return agent ? { ...guard(node), import: agent, ignoreChanges: [...KEPT_OF_CONTAINER] } : {};
}

/** Adopted means kept: should anything ask for a replacement after all, Pulumi refuses it. */
function guard({ machine }: NodeConfig): Options {
  return { protect: machine.protect };
}
