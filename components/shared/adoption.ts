import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";

/*
 * Options of resources that exist already. Each is imported by its id, then compared with the configuration. Properties
 * that the configuration has no key for are ignored, so they stay as they are. Without the entry in the configuration they
 * are no longer ignored, and the next plan shows the changes.
 */

type Options = pulumi.CustomResourceOptions;

const fieldsOf = (block: string, fields: readonly string[]): string[] =>
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
const KEPT_OF_VM: readonly string[] = [
  // The provider's import does not read these, and applying agent or watchdog restarts the machine.
  ...["agent", "cdrom", "watchdog"],
  // Hardware that the configuration has no key for. A change needs a reboot, or renames the guest's NIC.
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
  ...fieldsOf("cpu", CPU),
  ...fieldsOf("memory", ["floating", "hugepages", "keepHugepages", "shared"]),
  // The guest has its address already. Other data look like a new instance to cloud-init, which would run again.
  "initialization",
];

/**
 * Options of an adopted VM. Without a firewall in the configuration, the VM keeps the one that it has. A VM that is `known`
 * is in the state and not imported again: with another Proxmox node in the id, Pulumi would replace it by an import
 * (step_generator.go, isImport).
 */
export function adoptVm({ machine, network }: NodeConfig, known = false): Options {
  if (!machine.adopt) return {};
  const disks = machine.dockerDisk ? ["disks[0]", "disks[1]"] : ["disks[0]"];
  const kept = disks.flatMap((disk) => fieldsOf(disk, [...DISK, "serial", "ssd"]));
  const nics = [network, ...network.nics].flatMap((nic, index) => keepNic(nic, index, network));
  return {
    ...(known ? {} : { import: `${machine.proxmoxNode}/${machine.vmId}` }),
    ignoreChanges: [...KEPT_OF_VM, ...nics, ...kept],
  };
}

type Network = NodeConfig["network"];

/** Properties of an adopted NIC that are left as they are: those that nothing declares. */
function keepNic(
  nic: Pick<Network, "macAddress" | "mtu"> & { readonly firewall?: unknown },
  index: number,
  { firewall }: Network,
): string[] {
  const declared = ["macAddress", "mtu"].filter((key) => nic[key as "mtu"] !== undefined);
  const fields = NIC.filter((field) => !declared.includes(field));
  const filtered = nic.firewall !== undefined || firewall ? [] : ["firewall"];
  return fieldsOf(`networkDevices[${index}]`, [...fields, ...filtered]);
}

/** Properties of an adopted network that may differ without effect, such as options set to their defaults. `ipv6` counts if declared. */
const KEPT_OF_NETWORK: readonly string[] = [
  "attachable",
  "ipamDriver",
  "ipamOptions",
  "ipv6",
  "labels",
  "options",
];

/** Options of the Docker network `name`; empty if it is not adopted. */
export function adoptNetwork(node: NodeConfig, name: string): Options {
  const id = node.adopt.networks[name];
  const declared = node.networks[name]?.ipv6 ? ["ipv6"] : [];
  const kept = KEPT_OF_NETWORK.filter((path) => !declared.includes(path));
  return id ? { ...guard(node), import: id, ignoreChanges: kept } : {};
}

/** Options of the volume `name`; empty if it is not adopted. */
export function adoptVolume(node: NodeConfig, name: string): Options {
  return node.adopt.volumes.includes(name) ? { import: name } : {};
}

/**
 * Properties of an adopted container that stay as they are: everything that the provider reads
 * (resource_docker_container_funcs.go, resourceDockerContainerRead), and everything declared. A change of most of them
 * would need a new container.
 */
const KEPT_OF_CONTAINER: readonly (keyof docker.ContainerArgs)[] = [
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
  // Settings of the provider that Docker does not know.
  ...(["containerReadRefreshTimeoutMilliseconds", "mustRun", "removeVolumes", "start"] as const),
  "waitTimeout",
];

/**
 * Arguments of an adopted container. The provider does not read its environment, which may hold a secret, so it is
 * declared as empty. If it were left out or ignored, it would count as "computed" and force a replacement.
 */
export function keepContainer(args: docker.ContainerArgs): docker.ContainerArgs {
  return { ...args, envs: [] };
}

/** Options of the Portainer agent; empty if it is not adopted. */
export function adoptAgent(node: NodeConfig): Options {
  const { agent } = node.adopt;
  return agent ? { ...guard(node), import: agent, ignoreChanges: [...KEPT_OF_CONTAINER] } : {};
}

/** Protects what is adopted, so that Pulumi refuses to replace it. */
function guard({ machine }: NodeConfig): Options {
  return { protect: machine.protect };
}
