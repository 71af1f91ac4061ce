import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { MonitoringConfig, NodeConfig } from "../../config/schema";
import { nameResource, PART } from "../../config/names";
import { monitoringStep } from "../../node/monitoring";
import type { Images } from "../docker/images";
import { runNodeScript, type Repairs } from "../docker/node-script";
import type { Parts } from "../shared/parts";
import { createCadvisor } from "./cadvisor";

/** What the monitoring of a node needs. */
export interface MonitoringArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** What is monitored, as configured. */
  monitoring: MonitoringConfig;
  /** Docker's root directory as the daemon reports it; under userns-remap it is not /var/lib/docker. */
  dockerRootDir: pulumi.Input<string>;
  /** Number of the group that may use Docker's socket. */
  dockerGroup: pulumi.Input<string>;
  /** The machine that is monitored. */
  machine: pulumi.Resource;
  /** The images of the node. */
  images: Images;
  /** SSH to the node. */
  connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  /** What makes steps run again, to repair the node. */
  repairs?: Repairs;
}

/**
 * What Prometheus reads on a node: node-exporter, the files of its textfile collector, and cAdvisor. dockerd's own metrics are a
 * key of daemon.json.
 *
 * node-exporter is the distribution's package and no container: it has to answer while dockerd is down, it measures the machine
 * and not a container, and a container of it would need the node's network, processes and root folder.
 */
class Monitoring extends pulumi.ComponentResource {
  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:Monitoring", name, {}, opts);
    const { node, monitoring, machine, connection, repairs } = args;
    const step = { ...monitoringStep(node, monitoring), connection, machine, repairs };
    // Removed, it takes away what it made.
    const onNode = runNodeScript(
      nameResource(name, PART.node),
      { ...step, remove: "sudo -n env REMOVE=yes bash -s" },
      { parent: this },
    );
    if (monitoring.cadvisor) createCadvisor(name, monitoring.cadvisor, { ...args, onNode }, this);
    this.registerOutputs();
  }
}

/** Creates the monitoring of a node, if it is declared. */
export function createMonitoring(
  name: string,
  node: NodeConfig,
  { dockerHost, ...parts }: Parts,
  opts: pulumi.ComponentResourceOptions,
): void {
  const { monitoring } = node;
  if (!monitoring) return;
  const { connection, facts } = dockerHost;
  const { dockerRootDir, dockerGroup } = facts;
  const args = { node, monitoring, dockerRootDir, dockerGroup, connection, ...parts };
  new Monitoring(nameResource(name, PART.monitoring), args, opts);
}
