import { RPO } from "../config/backups";
import { addressOfNode } from "../config/node";
import { agentPort } from "../config/portainer";
import type { MonitoringConfig, NodeConfig } from "../config/schema";
import { declaredChecks } from "./checkable";
import { renderChecks } from "./checks";
import { renderScript } from "./scripts";
import { bindChanging, type Script } from "./steps";

/** Sets up what Prometheus reads on the node; what is not declared goes. */
export function monitoringStep(node: NodeConfig, monitoring: MonitoringConfig): Script {
  const { nodeExporter, cadvisor, health } = monitoring;
  const variables = {
    LISTEN: nodeExporter && `${addressOfNode(node)}:${nodeExporter.port}`,
    DIRECTORY: health?.directory,
    PROXY: cadvisor && "yes",
    HEALTH: health && renderHealth(node, health),
    DRIFT: health && renderDrift(node, health),
  };
  return bindChanging(node, "monitoring", variables, 1800);
}

type Health = NonNullable<MonitoringConfig["health"]>;

/** Time without a loss, by kind as the backup container names it in its metrics. */
const RPO_OF = { volumes: RPO.volume, configuration: RPO.configuration, images: RPO.image };

/** The script that writes how containers, backups and the machine are. */
function renderHealth(node: NodeConfig, { directory }: Health): string {
  const { backups } = node;
  const agent = agentPort(node);
  const rpo = Object.entries(RPO_OF).map(([kind, seconds]) => `${kind} ${seconds}`);
  const variables = {
    DIRECTORY: directory,
    AGENT: agent && `${addressOfNode(node)}:${agent}`,
    RPO: backups && rpo.join("\n"),
  };
  return renderScript("monitoring/health", variables);
}

/** The script that writes what was changed by hand. It compares the node with what it was declared as, in check mode. */
function renderDrift(node: NodeConfig, { directory }: Health): string {
  const variables = { DIRECTORY: directory, CHECKS: renderChecks(declaredChecks(node)) };
  return renderScript("monitoring/drift", variables);
}
