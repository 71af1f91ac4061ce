import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Whatever is adopted must be declared too: `adopt` only says that it exists; the declaration says what it is. */
export function checkAdopted(node: NodeConfig, report: Report): void {
  const { adopt, machine } = node;
  const names = { networks: Object.keys(adopt.networks), volumes: adopt.volumes };
  for (const kind of ["networks", "volumes"] as const) {
    for (const name of names[kind]) {
      if (!(name in node[kind])) report(`adopt/${kind}`, name, `a name declared under ${kind}`);
    }
  }
  if (adopt.agent && !node.portainer)
    report("adopt/agent", adopt.agent, "needs a portainer section, which says what the agent is");
  if (adopt.agent && node.portainer?.edge)
    report("adopt/agent", adopt.agent, "leave it out with portainer.edge: that agent is a new one");
  if (!machine.adopt && (adopt.agent ?? [...names.networks, ...names.volumes].length > 0))
    report("machine/adopt", false, "true with an adopt section: a new VM has nothing to adopt");
}
