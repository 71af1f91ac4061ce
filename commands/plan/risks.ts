/** What a person should know before approving: labels, derived from the plan by a table of pure rules. */
import { VM } from "../../config/resource-types";
import type { Change, Plan } from "./model";
import { ACCESS_RULES } from "./rules/access";
import { DISK_RULES } from "./rules/disks";
import { DOCKER_RULES } from "./rules/docker";
import { MACHINE_RULES } from "./rules/machine";
import { FIREWALL_RULES, PORT_RULES } from "./rules/network";
import { NIC_RULES } from "./rules/nics";
import { NODE_FIREWALL_RULES } from "./rules/node-firewall";
import { SEVERITIES, type Rule } from "./rules/rule";
import { SHARED_RULES } from "./rules/shared";
import { WORKLOAD_RULES } from "./rules/workloads";

/** A label on a node. */
export interface Risk extends Omit<Rule, "applies"> {
  readonly node: string;
  /** Logical names of the resources it comes from. */
  readonly resources: readonly string[];
  readonly details: readonly string[];
}

export const RULES: readonly Rule[] = [
  ...MACHINE_RULES,
  ...DISK_RULES,
  ...NIC_RULES,
  ...ACCESS_RULES,
  ...DOCKER_RULES,
  ...FIREWALL_RULES,
  ...NODE_FIREWALL_RULES,
  ...PORT_RULES,
  ...WORKLOAD_RULES,
  ...SHARED_RULES,
];

/** All labels of a plan, the gravest first, one a node and label. */
export function risksOf(plan: Plan, rules: readonly Rule[] = RULES): Risk[] {
  // Drift has happened already.
  if (plan.kind === "drift") return [];
  const found = plan.nodes.flatMap(({ name, changes }) =>
    rules.flatMap((rule) => riskOf(rule, name, changes)),
  );
  const deleted = new Set(
    found.filter(({ label }) => label === "deletes-vm").map(({ node }) => node),
  );
  const made = new Set(plan.nodes.filter(isMade).map(({ name }) => name));
  // What could be reached on a machine that goes is of no interest, nor what could never be on one that comes.
  const left = found.filter(
    ({ node, label }) =>
      !(deleted.has(node) && label === "opens-port") &&
      !(made.has(node) && label === "closes-port"),
  );
  const gravityOf = ({ severity }: Risk): number => -SEVERITIES.indexOf(severity);
  return merge(left).sort((a, b) => gravityOf(a) - gravityOf(b));
}

const isMade = ({ changes }: Plan["nodes"][number]): boolean =>
  changes.some(({ type, action }) => type === VM && action === "create");

function riskOf(rule: Rule, node: string, changes: readonly Change[]): Risk[] {
  const hits = changes.flatMap((change) => {
    const details = rule.applies(change);
    return details ? [{ name: change.name, details }] : [];
  });
  if (hits.length === 0) return [];
  const { label, severity, explanation } = rule;
  const resources = [...new Set(hits.map(({ name }) => name))];
  const details = [...new Set(hits.flatMap((hit) => hit.details))];
  return [{ label, severity, explanation, node, resources, details }];
}

/** Several rules may give a node the same label: one remains, with everything they found. */
function merge(risks: readonly Risk[]): Risk[] {
  const merged = new Map<string, Risk>();
  for (const risk of risks) {
    const key = `${risk.node} ${risk.label}`;
    const other = merged.get(key);
    merged.set(key, other ? mergePair(other, risk) : risk);
  }
  return [...merged.values()];
}

function mergePair(a: Risk, b: Risk): Risk {
  const graver = SEVERITIES.indexOf(b.severity) > SEVERITIES.indexOf(a.severity) ? b : a;
  return {
    ...graver,
    resources: [...new Set([...a.resources, ...b.resources])],
    details: [...new Set([...a.details, ...b.details])],
  };
}
