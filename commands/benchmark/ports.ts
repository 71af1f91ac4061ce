/** Check 5.9 asks for ports that are needed: those are the ones that the stack file declares. */
import { CADVISOR_CONTAINER } from "../../config/monitoring";
import { reachedAgents } from "../../config/portainer";
import type { NodeConfig } from "../../config/schema";
import { workloadsOf } from "../../config/workloads";
import type { Judged } from "./judge";

/** `<container> <port of the node>` for each port that a container of the node is declared to have. */
function declaredPorts(node: NodeConfig): ReadonlySet<string> {
  const { monitoring } = node;
  return new Set([
    ...reachedAgents(node).map(([container, port]) => `${container} ${port}`),
    ...(monitoring?.cadvisor ? [`${CADVISOR_CONTAINER} ${monitoring.cadvisor.port}`] : []),
    ...workloadsOf(node).flatMap(([name, { ports }]) => ports.map(({ port }) => `${name} ${port}`)),
  ]);
}

/** Takes the ports that a node declares out of what was found. */
export function dropDeclaredPorts(judged: Judged, node: NodeConfig): Judged {
  if (judged.id !== "5.9" || judged.state !== "warn") return judged;
  const declared = declaredPorts(node);
  const findings = judged.findings.filter(
    ({ container, port }) => !declared.has(`${container ?? ""} ${port ?? ""}`),
  );
  return { ...judged, findings, state: findings.length > 0 ? "warn" : "pass" };
}
