/** Judges what a host sees of a node by what the configuration and the outputs say. */
import type { Published } from "../../clients/pulumi/stack";
import { agentPort } from "../../config/portainer";
import type { NodeConfig } from "../../config/schema";
import type { Result } from "../validate/row";
import { openingsFor, type Openings } from "./ports";
import type { Sight } from "./sight";

/** A row without the node and the way it was measured, which are those of all rows. */
type Row = Pick<Result, "id" | "title" | "threshold" | "figure"> & { readonly holds: boolean };

/** What is judged. */
export interface Seen {
  readonly node: NodeConfig;
  readonly published: Published;
  readonly sight: Sight;
  /** Over IPv4 the node's services have to answer. Over IPv6 they may. */
  readonly family: "IPv4" | "IPv6";
  /** The NIC that has the address, if it is not the first: what the node serves has to answer at the first alone. */
  readonly nic?: string;
}

/** The end of a row's id, and of its title. */
export const idOf = ({ family, nic }: Pick<Seen, "family" | "nic">): string =>
  [family.toLowerCase(), ...(nic === undefined ? [] : [nic])].join("-");
export const titleOf = ({ family, nic }: Pick<Seen, "family" | "nic">): string =>
  nic === undefined ? family : `${family} of ${nic}`;

/** A row for the ports that have to be closed, for each service, and for each fingerprint that shows. */
export function judgeSight(seen: Seen): Row[] {
  const openings = openingsFor(seen.node, seen.sight.from);
  const agent = agentPort(seen.node);
  return [
    judgeClosed(seen, openings),
    judgeService(seen, openings, { id: "ssh", title: "SSH", port: 22 }),
    ...(agent ? [judgeService(seen, openings, { id: "agent", title: "Agent", port: agent })] : []),
    ...judgeFingerprints(seen),
  ];
}

function judgeClosed(seen: Seen, { lets, rules }: Openings): Row {
  const { sight, node } = seen;
  const services = [22, agentPort(node)];
  const others = [...sight.answers].filter(([port]) => !services.includes(port));
  const wrong = others.flatMap(([port, answer]) => (answer === "open" && !lets(port) ? port : []));
  const count = (wanted: string): number => others.filter(([, answer]) => answer === wanted).length;
  const told = `${count("open")} open, ${count("refused")} refused, ${count("silent")} without an answer`;
  return {
    id: `closed-${idOf(seen)}`,
    title: `Closed ports, ${titleOf(seen)}`,
    holds: wrong.length === 0,
    figure: wrong.length > 0 ? `open: ${wrong.join(", ")}; ${told}` : told,
    threshold: `closed, but for rules that apply to ${sight.from}: ${rules.join(", ") || "none"}`,
  };
}

interface Service {
  readonly id: string;
  readonly title: string;
  readonly port: number;
}

function judgeService(seen: Seen, { lets }: Openings, one: Service): Row {
  const { sight, family, nic } = seen;
  const answer = sight.answers.get(one.port) ?? "silent";
  const isLet = lets(one.port);
  // Where a rule lets others through than IPv4 to the first NIC, the service may answer and need not.
  const mayAnswer = isLet && (family === "IPv6" || nic !== undefined);
  const holds = isLet ? answer === "open" || mayAnswer : answer !== "open";
  const wanted = isLet ? "open" : `closed: no rule lets ${sight.from} through`;
  return {
    id: `${one.id}-${idOf(seen)}`,
    title: `${one.title} (${one.port}), ${titleOf(seen)}`,
    holds,
    figure: answer === "silent" ? "no answer" : answer,
    threshold: mayAnswer ? "open or closed" : wanted,
  };
}

function judgeFingerprints(seen: Seen): Row[] {
  const { sight, node, published } = seen;
  const isOpen = (port?: number): boolean =>
    port !== undefined && sight.answers.get(port) === "open";
  const makeRow = (id: string, title: string, found?: string, wanted?: string): Row => ({
    id: `${id}-${idOf(seen)}`,
    title: `${title}, ${titleOf(seen)}`,
    holds: found !== undefined && found === wanted,
    figure: found ?? "none is told",
    threshold: wanted ?? "one in the stack's outputs",
  });
  const hostKey = published.hostKey ?? node.ssh.hostKey;
  const agent = [sight.certificate, published.agentFingerprint] as const;
  return [
    ...(isOpen(22) ? [makeRow("host-key", "SSH host key", sight.hostKey, hostKey)] : []),
    ...(isOpen(agentPort(node)) ? [makeRow("certificate", "Agent's certificate", ...agent)] : []),
  ];
}
