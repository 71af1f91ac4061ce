/** Which TCP ports are tried, and which of them may be open. */
import { isFiltered, isOpen, rangeOf, rulesFor, type Range } from "../../config/firewall";
import { firewallRules, metricsPorts, servicePorts } from "../../config/node";
import type { NodeConfig } from "../../config/schema";

/** Ports by which machines are taken over when they are left open: logins, Docker, databases, file shares, consoles. */
const WELL_KNOWN = [
  ...[21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 512, 513, 514, 631, 873],
  ...[1433, 1521, 2049, 2375, 2376, 2377, 2379, 2380, 3000, 3128, 3306, 3389, 4243, 4789, 5000],
  ...[5355, 5432, 5672, 5900, 5901, 6379, 6443, 7946, 8000, 8006, 8007, 8080, 8086, 8443, 8888],
  ...[9000, 9001, 9090, 9093, 9100, 9200, 9323, 9443, 10050, 10250, 11211, 15672, 19999, 27017],
];

const LAST_OF_ALL = 1024;

/** Of a longer range of a rule only its ends are tried. */
const LONGEST_RANGE = 64;

/** Ports that the node serves by itself: SSH, the agent, the metrics that other machines read. */
const ownPorts = (node: NodeConfig): number[] => [...servicePorts(node), ...metricsPorts(node)];

/**
 * Ports to try: those of the node's rules and of what it serves, and well-known ones.
 *
 * @param all also 1 to 1024
 */
export function portsToTry(node: NodeConfig, all: boolean): number[] {
  const ruled = firewallRules(node).flatMap((rule) => numbersOf(rangeOf(rule)));
  const low = all ? numbersOf([1, LAST_OF_ALL], LAST_OF_ALL) : [];
  return [...new Set([...ownPorts(node), ...ruled, ...WELL_KNOWN, ...low])].sort((a, b) => a - b);
}

function numbersOf([first, last]: Range, longest = LONGEST_RANGE): number[] {
  const length = last - first + 1;
  return length > longest ? [first, last] : Array.from({ length }, (_, at) => first + at);
}

/** What the firewall lets through from one address: the rules that apply to it, and the ports they open. */
export interface Openings {
  /** In words; empty when none applies. */
  readonly rules: readonly string[];
  readonly lets: (port: number) => boolean;
}

/** What may be open to somebody at an address. Without a firewall everybody may reach what the node serves. */
export function openingsFor(node: NodeConfig, from: string): Openings {
  if (!isFiltered(node)) {
    const own = ownPorts(node);
    return { rules: ["no firewall is declared or on"], lets: (port) => own.includes(port) };
  }
  const rules = rulesFor(node, from);
  return {
    rules: rules.map(({ comment, port = "all ports" }) => `${comment} (${port})`),
    lets: (port) => isOpen(rules, port),
  };
}
