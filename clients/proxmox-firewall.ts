/** The firewall of the datacenter: the switch of every firewall in a cluster. */
import type { NodeConfig } from "../config/schema";
import { ask } from "./proxmox";
import { firewallOptions } from "./proxmox-answers";

/** Names of the nodes whose NIC has a firewall. */
export function filteredNodes(nodes: Readonly<Record<string, NodeConfig>>): string[] {
  return Object.entries(nodes).flatMap(([name, { network }]) =>
    network.firewall?.enabled ? [name] : [],
  );
}

/**
 * Whether Proxmox enforces the rules of a VM's NIC (pve-firewall, PVE/Firewall.pm, compile): off unless somebody turned it on.
 * @throws ClusterError; status 403 for a token without Sys.Audit on /
 */
export async function isFirewallOn(get: (path: string) => Promise<unknown>): Promise<boolean> {
  const { enable } = await ask(get, "/cluster/firewall/options", firewallOptions);
  return enable !== 0;
}

/** What turns it on, on any Proxmox node. */
export const TURN_ON = "pvesh set /cluster/firewall/options --enable 1";
