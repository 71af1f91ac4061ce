import { monitoringPorts } from "../monitoring";
import { agentPorts } from "../portainer";
import type { NodeConfig } from "../schema";
import type { Report } from "./report";

/** Each part has a port of its own, and the address of dockerd's metrics is said once. */
export function checkMonitoring(node: NodeConfig, report: Report): void {
  const { monitoring, engine } = node;
  if (!monitoring) return;
  const { nodeExporter, cadvisor, docker, health } = monitoring;
  if (!nodeExporter && !cadvisor && !docker && !health)
    report("monitoring", monitoring, "one of nodeExporter, cadvisor, docker, health, or more");
  const metrics = engine.daemon["metrics-addr"];
  if (docker && metrics !== undefined)
    report("engine/daemon/metrics-addr", metrics, "unset with monitoring.docker, which sets it");
  const taken = new Map([[22, "SSH"]]);
  for (const port of agentPorts(node)) taken.set(port, "the Portainer agent");
  for (const { part, port } of monitoringPorts(node)) {
    const other = taken.get(port);
    if (other) report(`monitoring/${part}/port`, port, `a port of its own; ${other} has it`);
    taken.set(port, part);
  }
}
