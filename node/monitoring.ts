import { createHash } from "node:crypto";
import { RPO } from "../config/backups";
import { addressOfNode } from "../config/node";
import { agentPort } from "../config/portainer";
import type { MonitoringConfig, NodeConfig } from "../config/schema";
import { declaredChecks, renderChecks } from "./checks";
import { assignVariables, renderScript, type ShellVariables } from "./scripts";
import { variablesOf } from "./stdin";
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

/**
 * The variables of the step's check mode. A script that the step installs is as long as all others of the node, and nobody reads
 * it: the digest of its file stands for it.
 *
 * @param stdin standard input of the step
 */
export function monitoringCheck(stdin: unknown): string {
  const { HEALTH, DRIFT, ...others } = variablesOf(stdin);
  return assignVariables({ ...others, ...digestsOf({ HEALTH, DRIFT }) }).join("\n");
}

/** As `sha256sum` tells them of the files that node/monitoring/job.sh writes. */
const digestsOf = (scripts: Readonly<Record<string, string | undefined>>): ShellVariables =>
  Object.fromEntries(
    Object.entries(scripts).map(([name, text]) => {
      const file = `#!/bin/bash\n${text}\n`;
      return [name, text && createHash("sha256").update(file).digest("hex")];
    }),
  );

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
