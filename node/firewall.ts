/** The node's own firewall: its rules as text for nft, made from the same facts as the rules of the NIC. */
import { createHash } from "node:crypto";
import { isOpen } from "../config/firewall";
import { firewallRules, type FirewallRule } from "../config/node";
import type { NodeConfig } from "../config/schema";
import { splitStdin } from "./stdin";

/** A port that others may reach. No port means all ports, and no source means everybody. */
type Opening = Pick<FirewallRule, "source" | "proto" | "port">;

/** The ICMP that the node needs: path MTU, errors, IPv6 neighbours and routers. Echo requests need a rule. */
const NEEDED = [
  "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
  "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept",
  "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept",
];

const REFUSED = [
  "meta pkttype { broadcast, multicast } drop",
  'limit rate 6/minute burst 5 packets log prefix "docker-node refuses: "',
  "drop",
];

const INPUT = [
  "type filter hook input priority filter - 10; policy drop;",
  'iif "lo" accept',
  "ct state established,related accept",
  "ct state invalid drop",
  ...NEEDED,
  "jump declared",
  "goto refused",
];

/**
 * Docker drops what is forwarded past the containers only if nobody had turned forwarding on before it started, and only until
 * somebody flushes its rules. Its key `ip-forward-no-drop` says that the node is a router on purpose.
 */
const forwardLines = ({ engine }: NodeConfig): string[] => [
  "type filter hook forward priority filter - 10; policy accept;",
  "# Between containers, and out of them: as Docker decides.",
  'meta iifkind "bridge" accept',
  ...(engine.daemon["ip-forward-no-drop"]
    ? ["# Past them: ip-forward-no-drop.", 'meta oifkind != "bridge" accept']
    : []),
  "ct state established,related accept",
  "ct status dnat jump declared",
  "goto refused",
];

/**
 * Returns the node's rules; empty if it has no firewall of its own.
 *
 * Docker rewrites the destination of a published port before the packet is routed (nat, prerouting), so rules go by the
 * original port. `accept` ends only this table: Docker's rules follow.
 */
export function renderRules(node: NodeConfig): string {
  if (!node.network.firewall?.onNode) return "";
  const chains = [
    chainText("declared", firewallRules(node).flatMap(rulesFor)),
    chainText("refused", REFUSED),
    chainText("input", INPUT),
    chainText("forward", forwardLines(node)),
  ];
  return `table inet docker_node
delete table inet docker_node

table inet docker_node {
${chains.join("\n")}}`;
}

const chainText = (name: string, lines: readonly string[]): string =>
  `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join("")}  }\n`;

function rulesFor({ comment, source = "", proto, port }: FirewallRule): string[] {
  const isV6 = source.includes(":");
  const from = source && `${isV6 ? "ip6" : "ip"} saddr ${source} `;
  const range = port?.replace(":", "-");
  const kinds = source ? [isV6 ? "icmpv6" : "icmp"] : ["icmp", "icmpv6"];
  const rules =
    proto === "icmp"
      ? kinds.map((kind) => `${from}${kind} type echo-request accept`)
      : [`${from}meta l4proto ${proto} ct original proto-dst ${range ?? ""} accept`];
  return [`# ${comment}`, ...rules];
}

/** Without a source, an echo request is let in over both, by two rules: the first one tells of both. */
const OPENING =
  /^ +(?:ip6? saddr (?<source>\S+) )?(?:(?:icmp|(?<=saddr \S+ )icmpv6) type echo-request|meta l4proto (?<proto>\w+) ct original proto-dst (?<port>\S+)) accept$/gm;

/** Returns what the rules let in: the inverse of `renderRules`. */
export function openingsIn(rules: string): Opening[] {
  return [...rules.matchAll(OPENING)].map(({ groups = {} }) => ({
    source: groups.source,
    proto: groups.proto ?? "icmp",
    port: groups.port?.replace("-", ":"),
  }));
}

/** Returns the name of a text of rules. A connection confirms the rules by this name. */
export function rulesId(rules: string): string {
  return rules && createHash("sha256").update(rules).digest("hex").slice(0, 16);
}

/** Returns the networks from which the rules let SSH in. The node checks that its present connection comes from one of them. */
export function sshSources(rules: string): string[] {
  const found = openingsIn(rules).filter((rule) => rule.proto === "tcp" && isOpen([rule], 22));
  return [...new Set(found.flatMap(({ source }) => source ?? ["0.0.0.0/0", "::/0"]))];
}

/**
 * Whether the node was given rules that no fresh connection confirmed, so that it took them back.
 *
 * @param given standard input of the step that loads them, in the stack's state
 * @param confirmed standard input of the step that confirms them
 */
export function isUnconfirmed(given: string | undefined, confirmed: string | undefined): boolean {
  const [before, after] = [splitStdin(given), splitStdin(confirmed)];
  const idIn = (variables = ""): string => /^ID='(\w*)'$/m.exec(variables)?.[1] ?? "";
  const name = idIn(before?.variables);
  return name !== "" && (name !== idIn(after?.variables) || before?.repairs !== after?.repairs);
}
