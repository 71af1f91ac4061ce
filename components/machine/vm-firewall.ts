import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import { hasOwnMacs } from "../../config/lan";
import { firewallRules, type FirewallRule } from "../../config/node";
import { hasFilteredIpv6 } from "../../config/own-networks";
import type { NodeConfig } from "../../config/schema";
import { nameResource } from "../../config/names";

/** Drops inbound traffic that no rule accepts. */
const POLICY = {
  inputPolicy: "DROP",
  outputPolicy: "ACCEPT",
  ipfilter: false,
  dhcp: false,
  ndp: true,
  radv: false,
  logLevelIn: "info",
  logLevelOut: "nolog",
};

/**
 * Lets routers and bridges ask who listens to which multicast address. Proxmox's option ndp does not (pve-firewall, Firewall.pm), and
 * a bridge that snoops, as Proxmox's do, stops passing neighbour solicitations on to a guest that does not answer (RFC 4541, section
 * 3; RFC 3810: queries come from link-local addresses). The provider has no field for a type of ICMPv6.
 */
const LISTENERS: FirewallRule = {
  comment: "IPv6 neighbours (MLD)",
  source: "fe80::/10",
  proto: "icmpv6",
};

/**
 * Creates the PVE firewall of the node's NIC. It drops inbound traffic other than SSH from management, the Portainer agent
 * from the Portainer server, and declared ports. It also covers macvlan and ipvlan containers on the NIC's own VLAN, which no rule on
 * the node can (Docker docs, "Packet filtering and firewalls"). Frames that the guest tags itself are not filtered
 * (pve-firewall, sysctl net.bridge.bridge-nf-filter-vlan-tagged = 0).
 */
export function createFirewall(
  name: string,
  node: NodeConfig,
  vm: proxmox.VmLegacy,
  parent: pulumi.Resource,
): void {
  if (!node.network.firewall) return;
  const opts = { parent, dependsOn: [vm], deletedWith: vm };
  const target = { nodeName: vm.nodeName, vmId: vm.vmId };
  const rules = new proxmox.firewall.RulesLegacy(
    nameResource(name, "firewall-rules"),
    { ...target, rules: rulesOf(node).map(toRule) },
    opts,
  );
  new proxmox.firewall.OptionsLegacy(
    nameResource(name, "firewall"),
    {
      ...target,
      enabled: node.network.firewall.enabled,
      ...POLICY,
      // Containers of a macvlan have their own MAC addresses, those of an ipvlan the node's.
      macfilter: !hasOwnMacs(node),
    },
    // The rules come first: without them, the policy would cut SSH off.
    { ...opts, dependsOn: [vm, rules] },
  );
}

/**
 * The node's rules as Proxmox takes them: its protocol icmp is IPv4's, and it refuses an IPv6 source with it (pve-firewall,
 * Firewall.pm, verify_rule). With IPv6, everybody's echo is let in over both. The rule for listeners is the last one: rules are
 * known by their places.
 */
export function rulesOf(node: NodeConfig): FirewallRule[] {
  const isOver6 = hasFilteredIpv6(node);
  const rules = firewallRules(node).flatMap((rule) => {
    if (rule.proto !== "icmp") return [rule];
    const over6 = { ...rule, proto: "icmpv6" };
    if (rule.source?.includes(":")) return [over6];
    return rule.source || !isOver6 ? [rule] : [rule, over6];
  });
  return isOver6 && node.network.firewall ? [...rules, LISTENERS] : rules;
}

function toRule({
  comment,
  source,
  proto,
  port,
}: FirewallRule): proxmox.types.input.firewall.RulesLegacyRule {
  return {
    type: "in",
    action: "ACCEPT",
    enabled: true,
    comment,
    source,
    proto,
    dport: port,
    log: "nolog",
  };
}
