import { contains, plainAddress } from "./cidr";
import { firewallRules, type FirewallRule } from "./node";
import type { NodeConfig } from "./schema";

/* What the rules of a node's firewall let through. */

/** Ports from the first to the last. */
export type Range = readonly [first: number, last: number];

/** Ports that a rule opens. One without ports is about all of them. */
export function rangeOf({ port = "1:65535" }: Pick<FirewallRule, "port">): Range {
  const [first = 0, last = first] = port.split(":").map(Number);
  return [first, last];
}

/** TCP rules that apply to somebody at an address: those for everybody, and those with a source of its family that has it. */
export function rulesFor(node: NodeConfig, from: string): FirewallRule[] {
  return firewallRules(node).filter(
    ({ proto, source }) => proto === "tcp" && (source === undefined || isFrom(source, from)),
  );
}

function isFrom(source: string, from: string): boolean {
  const address = plainAddress(from);
  return address !== undefined && contains(source, address);
}

/** Whether anything filters what reaches a node: Proxmox at its NIC, the node itself, or both. Each has all the rules. */
export const isFiltered = ({ network: { firewall } }: Pick<NodeConfig, "network">): boolean =>
  firewall !== undefined && (firewall.enabled || firewall.onNode);

/** Whether one of the rules opens a port. */
export function isOpen(rules: readonly Pick<FirewallRule, "port">[], port: number): boolean {
  return rules.map(rangeOf).some(([first, last]) => first <= port && port <= last);
}
