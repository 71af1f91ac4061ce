import { contains } from "../cidr";
import { isOpen } from "../firewall";
import { servicePorts } from "../node";
import type { NodeConfig } from "../schema";
import { weaknessIf, type Downgrade, type Weakness } from "./downgrade";

/* Values of a machine and its network that weaken a node. */

/** What a waiver names a VM by that may be deleted. */
export const MACHINE_UNPROTECTED = "machine-unprotected";

/**
 * A source so wide that it stands for everybody: shorter than the shortest prefix there is a private network for, 10.0.0.0/8 and
 * fd00::/8 (RFC 1918, RFC 4193).
 */
const SHORTEST = 8;

/**
 * As wide, of global IPv6 addresses: the registry of a continent has blocks of /12 to /23 (IANA, IPv6 Global Unicast Address
 * Assignments), one organisation has /29 to /48, and few have a /20.
 */
const SHORTEST_6 = 20;

/** IPv6 addresses that are no global ones: unique local and link-local (RFC 4193, RFC 4291). */
const LOCAL_6 = ["fc00::/7", "fe80::/10"];

function isEverybody(source: string | undefined): boolean {
  if (source === undefined) return true;
  const isGlobal6 = source.includes(":") && !LOCAL_6.some((block) => contains(block, source));
  const [, length = "32"] = source.split("/");
  return Number(length) < (isGlobal6 ? SHORTEST_6 : SHORTEST);
}

function findOpenManagement({ network }: NodeConfig): Weakness[] {
  return (network.firewall?.managementNetworks ?? []).flatMap((source, index) =>
    weaknessIf(isEverybody(source), `network/firewall/managementNetworks/${index}`, source),
  );
}

/** A declared rule that lets everybody to what only management, the Portainer server and Prometheus may reach. */
function findOpenRules(node: NodeConfig): Weakness[] {
  const kept = servicePorts(node);
  return (node.network.firewall?.rules ?? []).flatMap((rule, index) => {
    // One without a port is a mistake, and told as such.
    const hits =
      rule.proto === "tcp" && rule.port !== undefined && kept.some((port) => isOpen([rule], port));
    const field = `network/firewall/rules/${index}/port`;
    return weaknessIf(hits && isEverybody(rule.source), field, rule.port);
  });
}

/**
 * A firewall of a NIC sees nothing that is tagged inside the guest (pve-firewall; bridge-nf-filter-vlan-tagged is 0 on a PVE
 * node).
 */
function findUnfilteredNetworks({ network, networks }: NodeConfig): Weakness[] {
  if (network.firewall?.enabled !== true) return [];
  return Object.entries(networks).flatMap(([name, one]) => {
    const vlan = "vlan" in one ? one.vlan : undefined;
    return weaknessIf(vlan !== undefined, `networks/${name}/vlan`, vlan);
  });
}

/** Without a firewall of the VM, a NIC has none to turn off. */
function findUnfilteredNics({ network }: NodeConfig): Weakness[] {
  if (network.firewall?.enabled !== true) return [];
  return network.nics.flatMap(({ firewall }, index) =>
    weaknessIf(firewall === false, `network/nics/${index}/firewall`, firewall),
  );
}

/** The rows, in the order of the page. */
export const NODE_DOWNGRADES: readonly Downgrade<NodeConfig>[] = [
  {
    id: MACHINE_UNPROTECTED,
    allowed: "true",
    meaning: "The VM and its data can be deleted in one step.",
    find: ({ machine: { protect } }) => weaknessIf(!protect, "machine/protect", protect),
  },
  {
    id: "firewall-none",
    allowed: "a section with managementNetworks",
    meaning: "Nothing filters what reaches the node; everybody may try SSH and the agent.",
    find: ({ network: { firewall } }) => weaknessIf(!firewall, "network/firewall", firewall),
  },
  {
    id: "firewall-off",
    allowed: "true",
    meaning: "Proxmox filters nothing, so macvlan and ipvlan containers are open.",
    find: ({ network: { firewall } }) =>
      weaknessIf(firewall?.enabled === false, "network/firewall/enabled", false),
  },
  {
    id: "firewall-nic-off",
    allowed: "true or unset",
    meaning:
      "Proxmox does not filter what reaches the node by this NIC; only the node itself does.",
    find: findUnfilteredNics,
  },
  {
    id: "firewall-node-off",
    allowed: "true",
    meaning:
      "The node filters nothing itself: where Proxmox does not enforce the rules, everybody reaches its ports and those of its containers.",
    find: ({ network: { firewall } }) =>
      weaknessIf(firewall?.onNode === false, "network/firewall/onNode", false),
  },
  {
    id: "firewall-management-open",
    allowed: `networks of management, with a prefix of ${SHORTEST} or longer, of global IPv6 addresses ${SHORTEST_6}`,
    meaning: "SSH is open to everybody.",
    find: findOpenManagement,
  },
  {
    id: "firewall-rule-open",
    allowed: "ports other than those of SSH, the agent and monitoring, or a source",
    meaning: "A rule opens SSH, the Portainer agent or metrics to everybody.",
    find: findOpenRules,
  },
  {
    id: "network-vlan-unfiltered",
    allowed: "unset: the network is on the NIC's own VLAN, which its firewall filters",
    meaning: "Nobody filters what reaches these containers, but the router of their VLAN.",
    find: findUnfilteredNetworks,
  },
  {
    id: "portainer-insecure-poll",
    allowed: "false",
    meaning: "Whoever is between node and Portainer can take its place, and give the agent orders.",
    find: ({ portainer }) =>
      weaknessIf(portainer?.edge?.insecurePoll === true, "portainer/edge/insecurePoll", true),
  },
  {
    id: "agent-adopted",
    allowed: "unset: the declared agent replaces the one that is there",
    meaning:
      "Nobody scans the agent's image, compares it with its digests, closes its layers to the remapped root, or limits its processes: root of a container that breaks out may change the agent, which has Docker's socket.",
    find: ({ adopt }) => weaknessIf(adopt.agent !== undefined, "adopt/agent", adopt.agent),
  },
];
