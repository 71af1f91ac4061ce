import { attempt } from "../partial";
import { AGENT_CONTAINER, NEXT_AGENT_CONTAINER } from "../portainer";
import type { Problem } from "../problems";
import type { NodeConfig, ProxmoxConfig } from "../schema";
import type { Waiver } from "../schema/waivers";
import { daysLeft, LONGEST_DAYS, dayOf } from "./days";
import type { Downgrade, Weakness } from "./downgrade";
import { isBenchmarkId } from "./benchmark";
import { findPolicyNeeds, isOfOtherContainers } from "./policies";
import { DOWNGRADES, STACK_DOWNGRADES, WAIVABLE } from "./table";
import { findVulnerabilityMistakes, isOfVulnerability } from "./vulnerabilities";

/** A weakness of a node, or of the stack when it has none. */
interface Weak extends Weakness {
  readonly id: string;
  readonly node?: string;
  readonly allowed: string;
}

type Nodes = Readonly<Record<string, NodeConfig>>;

/** What was found: problems of nodes and the stack, and of the waivers themselves. */
interface Checked {
  readonly open: readonly Problem[];
  readonly wrong: readonly Problem[];
  /** Waivers without anything they waive: told only when everything else is right. */
  readonly unused: readonly Problem[];
}

/** Weak values of nodes against the waivers. */
export function checkWaivers(
  waivers: readonly Waiver[],
  proxmox: ProxmoxConfig | undefined,
  nodes: Nodes,
  now: Date,
): Checked {
  const weak = [
    ...(proxmox ? findWeaknesses(STACK_DOWNGRADES, proxmox) : []),
    ...Object.entries(nodes).flatMap(([name, node]) => findWeaknesses(DOWNGRADES, node, name)),
  ];
  const find = (one: Pick<Weak, "id" | "node" | "container">): Waiver | undefined =>
    waivers.find((each) => waives(each, one));
  const open = weak.filter((one) => !find(one));
  const used = new Set([...weak, ...findPolicyNeeds(nodes)].map(find));
  return {
    open: open.map(reportUnwaived),
    wrong: waivers.flatMap((waiver, at) => findMistakes(waiver, at, nodes, now)),
    unused: waivers.flatMap((waiver, at) =>
      used.has(waiver) || isJudgedElsewhere(waiver) ? [] : [reportUnused(waiver, at)],
    ),
  };
}

/** Only `docker-node benchmark`, scans and the policies can tell whether something needs such a waiver. */
const isJudgedElsewhere = (waiver: Waiver): boolean =>
  isBenchmarkId(waiver.id) || isOfVulnerability(waiver) || isOfOtherContainers(waiver);

function findWeaknesses<T>(table: readonly Downgrade<T>[], settings: T, node?: string): Weak[] {
  const all: Weak[] = [];
  for (const { id, allowed, find } of table)
    attempt(() => {
      all.push(...find(settings).map((one) => ({ ...one, id, allowed, node })));
    });
  return all;
}

/** Whether a waiver stands for something of a node, and of a container where it is one's. */
export function waives(
  { id, node, container }: Waiver,
  weak: Pick<Weak, "id" | "node" | "container">,
): boolean {
  const isNode = node === "all" || node === weak.node;
  // A container that a waiver of the host names is a mistake of its own.
  const of = weak.container === NEXT_AGENT_CONTAINER ? AGENT_CONTAINER : weak.container;
  const isContainer = !container || !weak.container || [of, weak.container].includes(container);
  return id === weak.id && isNode && isContainer;
}

function reportUnwaived({ id, node, path, value, allowed }: Weak): Problem {
  const base = node === undefined ? ["proxmox"] : ["nodes", node];
  const waiver = `a waiver with id ${id} (docker-node:waivers; docs/reference/security.md)`;
  const place = [...base, ...path.split("/")];
  return { path: place, value, allowed: `${allowed}; or ${waiver}`, waiver: id };
}

function findMistakes(waiver: Waiver, at: number, nodes: Nodes, now: Date): Problem[] {
  const names = Object.keys(nodes);
  const { id, node, container, expires } = waiver;
  const left = daysLeft(waiver, now);
  const of = WAIVABLE.find((one) => one.id === id);
  const problemIf = (wrong: boolean, key: keyof Waiver, allowed: string): Problem[] =>
    wrong ? [{ path: ["waivers", at, key], value: waiver[key], allowed }] : [];
  return [
    ...problemIf(left < 0, "expires", `a day from ${dayOf(now)} on: this waiver has expired`),
    ...problemIf(left > LONGEST_DAYS, "expires", `at most ${LONGEST_DAYS} days from ${dayOf(now)}`),
    ...problemIf(node !== "all" && !names.includes(node), "node", `all, ${names.join(", ")}`),
    ...problemIf(
      container !== undefined && !of?.ofContainers,
      "container",
      `leave it out with ${id}, which is not of a container`,
    ),
    ...findVulnerabilityMistakes(waiver, at, nodes),
  ].map((one) => ({ ...one, scope: `${id}, ${expires}` }));
}

function reportUnused({ id, node, container }: Waiver, at: number): Problem {
  const where = `${node === "all" ? "all nodes" : node}${container ? `, container ${container}` : ""}`;
  const allowed = `leave it out: nothing needs it (${where}), or another one stands for it already`;
  return { path: ["waivers", at, "id"], value: id, allowed };
}
