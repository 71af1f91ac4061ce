import { addressOf } from "../cidr";
import type { Problem } from "../problems";
import type { NodeConfig } from "../schema";

/** Problems between nodes: two of them may not claim the same VM id or address. */
export function checkFleet(nodes: Readonly<Record<string, NodeConfig>>): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  const claim = (what: string, name: string, path: string[], value: unknown): void => {
    const owner = owners.get(what);
    const allowed = `a value of its own; ${owner ?? ""} has this one`;
    if (owner) problems.push({ path: ["nodes", name, ...path], value, allowed });
    else owners.set(what, name);
  };
  const names = Object.keys(nodes);
  for (const [name, { machine, network, primary }] of Object.entries(nodes)) {
    const unknown = typeof primary === "string" && !names.includes(primary);
    const allowed = `a node of this stack (${names.join(", ")}), or { address, port } of one elsewhere`;
    if (unknown) problems.push({ path: ["nodes", name, "primary"], value: primary, allowed });
    claim(`vm ${machine.vmId}`, name, ["machine", "vmId"], machine.vmId);
    claim(`ip ${addressOf(network.address)}`, name, ["network", "address"], network.address);
  }
  return problems;
}
