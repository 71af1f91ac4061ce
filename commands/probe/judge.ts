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
  /** Over IPv6 nothing has to answer. */
  readonly family: "IPv4" | "IPv6";
}

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

function judgeClosed({ sight, family, node }: Seen, { lets, rules }: Openings): Row {
  const services = [22, agentPort(node)];
  const others = [...sight.answers].filter(([port]) => !services.includes(port));
  const wrong = others.flatMap(([port, answer]) => (answer === "open" && !lets(port) ? port : []));
  const count = (wanted: string): number => others.filter(([, answer]) => answer === wanted).length;
  const told = `${count("open")} open, ${count("refused")} refused, ${count("silent")} without an answer`;
  return {
    id: `closed-${family.toLowerCase()}`,
    title: `Closed ports, ${family}`,
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

function judgeService({ sight, family }: Seen, { lets }: Openings, one: Service): Row {
  const answer = sight.answers.get(one.port) ?? "silent";
  const isLet = lets(one.port);
  // Where a rule lets IPv6 through, the service may answer and need not.
  const holds = isLet ? answer === "open" || family === "IPv6" : answer !== "open";
  const wanted = isLet ? "open" : `closed: no rule lets ${sight.from} through`;
  return {
    id: `${one.id}-${family.toLowerCase()}`,
    title: `${one.title} (${one.port}), ${family}`,
    holds,
    figure: answer === "silent" ? "no answer" : answer,
    threshold: isLet && family === "IPv6" ? "open or closed" : wanted,
  };
}

function judgeFingerprints({ sight, family, node, published }: Seen): Row[] {
  const isOpen = (port?: number): boolean =>
    port !== undefined && sight.answers.get(port) === "open";
  const makeRow = (id: string, title: string, found?: string, wanted?: string): Row => ({
    id: `${id}-${family.toLowerCase()}`,
    title: `${title}, ${family}`,
    holds: found !== undefined && found === wanted,
    figure: found ?? "none is told",
    threshold: wanted ?? "one in the stack's outputs",
  });
  const hostKey = published.hostKey ?? node.ssh.hostKey;
  return [
    ...(isOpen(22) ? [makeRow("host-key", "SSH host key", sight.hostKey, hostKey)] : []),
    ...(isOpen(agentPort(node))
      ? [
          makeRow(
            "certificate",
            "Agent's certificate",
            sight.certificate,
            published.agentFingerprint,
          ),
        ]
      : []),
  ];
}
