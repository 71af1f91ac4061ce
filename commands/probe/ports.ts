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

const LAST_OF_ALL = 65_535;

/** Of a longer range of a rule only its ends are tried. */
const LONGEST_RANGE = 64;

/** Ports that the node serves by itself: SSH, the agent, the metrics that other machines read. */
const ownPorts = (node: NodeConfig): number[] => [...servicePorts(node), ...metricsPorts(node)];

/**
 * Ports to try: those of the node's rules, of what it serves and of what it says it listens on, and well-known ones.
 *
 * @param all every port there is
 */
export function portsToTry(
  node: NodeConfig,
  all: boolean,
  listening: readonly number[] = [],
): number[] {
  if (all) return numbersOf([1, LAST_OF_ALL], LAST_OF_ALL);
  const ruled = firewallRules(node).flatMap((rule) => numbersOf(rangeOf(rule)));
  const found = new Set([...ownPorts(node), ...ruled, ...WELL_KNOWN, ...listening]);
  return [...found].sort((a, b) => a - b);
}

/** Sorted ports as a script takes them, neighbours as a range: all of them are longer than an argument may be. */
export function spansOf(ports: readonly number[]): string {
  const spans: [number, number][] = [];
  for (const port of ports) {
    const last = spans.at(-1);
    if (last?.[1] === port - 1) last[1] = port;
    else spans.push([port, port]);
  }
  return spans.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
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
