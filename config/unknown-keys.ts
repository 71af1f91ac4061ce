const FIRST_BOOT =
  "cloud-init upgrades the packages of a new VM, and only root@pam may turn that off: use an image with current packages, or qm set <vmid> --ciupgrade 0 on a template";
const DEVICE =
  "override.machine.hostpcis passes a mapped device through, a GPU too; the token needs Mapping.Use on its mapping, since only root@pam may name the device itself";
const ONE_ROUTE =
  "a node has one default route, through its first NIC (network.gateway): with a second one, answers would leave by the wrong NIC";
const ONE_IPV6 = "network.ipv6 has the IPv6 address of the NIC and its gateway";
const SUBNET_6 = "networks.<name>.ipv6 gives it IPv6: { subnet: fd25:28::/64 }";
const NETWORK_OPTIONS =
  "engine.daemon.default-network-opts sets Docker's options for the networks of a driver";
const OWN_DISK =
  "declared volumes lie on the node's disk, which is what is backed up; a stack that builds on the node can make others (docker.Volume)";
const NO_JUMP =
  "Docker's provider dials the node itself; forward a port over the bastion and name it as ssh.endpoint";
const CHECKSUM = "sha256 or sha512 has the checksum, and its name says which one it is";

/**
 * Keys that users may try but a node does not have, with the reason and a way around. Paths are below a node; `*` stands
 * for a name or a place in a list. Other arguments of the providers are set by `override`.
 */
export const REASONS: Readonly<Record<string, string>> = {
  "network.mac": "network.macAddress is its name; Proxmox gives the NIC one where none is declared",
  "network.interfaces":
    "network.nics lists further NICs; containers get VLANs of the first one (networks.<name> with driver macvlan or ipvlan)",
  "network.nics.*.gateway": ONE_ROUTE,
  "network.nics.*.gateway6": ONE_ROUTE,
  "network.nics.*.ipv6.gateway": ONE_ROUTE,
  "network.nics.*.dnsServers": "network.dnsServers are those of the node",
  "network.nics.*.trunks":
    "the first NIC carries the VLANs of macvlans and ipvlans (networks.<name>.vlan)",
  "network.nics.*.mac": "macAddress is its name",
  "network.vlans":
    "network.vlan is the NIC's own; those of macvlans and ipvlans (networks.<name>.vlan) come with it",
  "network.trunks":
    "network.vlan is the NIC's own; those of macvlans and ipvlans (networks.<name>.vlan) come with it",
  "network.address6": ONE_IPV6,
  "network.gateway6": ONE_IPV6,
  "network.firewall.rules.*.ports": "a rule has one port or range (port); write a rule for each",
  "network.firewall.rules.*.sources": "a rule has one source; write a rule for each",
  "network.firewall.containerPorts":
    "a port that a container publishes is one of the node's; network.firewall.rules opens it",
  "networks.*.mtu":
    "only a bridge has one: containers on a macvlan or an ipvlan have the MTU of the node's NIC (network.mtu)",
  "networks.*.bridge": "Docker names its bridges; containers know a network by its own name",
  "networks.*.enableIPv6": SUBNET_6,
  "networks.*.enable_ipv6": SUBNET_6,
  "networks.*.subnet6": SUBNET_6,
  "networks.*.gateway6": "networks.<name>.ipv6.gateway is its name",
  "networks.*.options": NETWORK_OPTIONS,
  "networks.*.driverOpts": NETWORK_OPTIONS,
  "networks.*.driver_opts": NETWORK_OPTIONS,
  "volumes.*.driver": OWN_DISK,
  "volumes.*.driverOpts": OWN_DISK,
  "volumes.*.driver_opts": OWN_DISK,
  "volumes.*.options": OWN_DISK,
  "workloads.*.privileged": "leave it out: capabilities names what a workload needs",
  "workloads.*.devices":
    "leave it out: no workload has devices; a stack that builds on the node can give them (docker.Container)",
  "workloads.*.networkMode":
    "a workload has its own network; ports and networks say who reaches it",
  "workloads.*.usernsMode":
    "a workload stays in Docker's user namespace, away from root of the node",
  "workloads.*.pidMode": "a workload sees its own processes alone",
  "workloads.*.ipcMode": "a workload has its own IPC",
  "workloads.*.securityOpts":
    "no-new-privileges, seccomp and AppArmor stay; daemon.json says which seccomp profile",
  "workloads.*.build": "images are built elsewhere, and named by digest",
  "ssh.bastion": NO_JUMP,
  "ssh.proxyJump": NO_JUMP,
  "ssh.proxyCommand": NO_JUMP,
  "ssh.jumpHost": NO_JUMP,
  "machine.cpu.sockets": "cores are those of one socket; override.machine.cpu sets more",
  "machine.cpu.numa": "override.machine.cpu sets it",
  "machine.numa": "override.machine.numas sets it",
  "machine.upgrade": FIRST_BOOT,
  "machine.ciupgrade": FIRST_BOOT,
  "machine.ha": "machine.highAvailability declares it",
  "machine.migrate":
    "Proxmox moves a VM (qm migrate, or high availability), and the program follows: docs/how-to/change-a-node.md#move-the-vm-to-another-proxmox-node",
  "machine.hostpci": DEVICE,
  "machine.gpu": DEVICE,
  "machine.image.checksum": CHECKSUM,
  "machine.image.checksumAlgorithm": CHECKSUM,
  "machine.disk.interface": "the system is on scsi0 and Docker on scsi1, behind VirtIO SCSI",
  "engine.containerd": "containerd comes with the release of Docker, and is held with it",
  "engine.containerdVersion": "containerd comes with the release of Docker, and is held with it",
};

/** Maps whose keys are names that the user chooses. */
const NAMED = /^(networks|volumes|workloads)\.[^.]+\./;

/** Returns why a node has no such key. Undefined if the key is not in the table. */
export function reasonFor(path: readonly PropertyKey[]): string | undefined {
  const [top, ...rest] = path;
  const own = top === "nodes" ? rest.slice(1) : rest;
  const key = own.map((part) => (typeof part === "number" ? "*" : String(part))).join(".");
  return REASONS[key.replace(NAMED, "$1.*.")];
}
