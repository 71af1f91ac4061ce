import * as pulumi from "@pulumi/pulumi";
import { addressOf } from "../config/cidr";
import {
  addressOfNode,
  dockerHostUrl,
  gatewayOf,
  monitoringTargets,
  type MonitoringTarget,
} from "../config/node";
import { agentUrl } from "../config/portainer";
import type { BackupsConfig, NodeConfig } from "../config/schema";
import { namesOn, portsOf, workloadsOf } from "../config/workloads";
import type { NodeOutputs, Outputs } from "../contract/schema";
import type { ContainerNetworks } from "./docker/networks";
import type { DockerHost } from "./docker/docker-host";
import type { PortainerAgent } from "./platform/portainer-agent";
import type { EnvironmentOutputs } from "./platform/portainer-environment";
import type { PrimaryOutputs } from "./platform/primary";
import type { VirtualMachine } from "./machine/virtual-machine";

/** The parts of a node that its outputs come from. */
export interface NodeParts {
  machine: VirtualMachine;
  dockerHost: DockerHost;
  networks: ContainerNetworks;
  agent?: PortainerAgent;
  environment?: EnvironmentOutputs;
  primary?: PrimaryOutputs;
}

/** Builds a node's outputs. All but ids and facts of the daemon are known before the node exists. */
export function describe(
  name: string,
  node: NodeConfig,
  { machine, dockerHost, networks, agent, environment, primary }: NodeParts,
): NodeOutputs {
  return {
    name,
    vmId: machine.vmId,
    ...describeAddresses(node),
    sshUser: node.ssh.user,
    dockerHost: dockerHostUrl(node),
    hostKey: dockerHost.hostKey,
    agentUrl: agentUrl(node),
    agentFingerprint: agent?.fingerprint,
    portainerEnvironment: environment,
    networks: describeNetworks(node, networks),
    volumes: Object.keys(node.volumes),
    workloads: describeWorkloads(node),
    monitoring: monitoringTargets(node).map(withUrl),
    backups: node.backups && describeBackups(node.backups),
    primary,
    engineVersion: dockerHost.facts.serverVersion,
    apiVersion: dockerHost.facts.apiVersion,
  };
}

function describeAddresses(node: NodeConfig): Pick<NodeOutputs, "address" | "ipv6Address"> {
  const { ipv6 } = node.network;
  return { address: addressOfNode(node), ipv6Address: ipv6 && addressOf(ipv6.address) };
}

const withUrl = ({ name, at }: MonitoringTarget): { name: string; url: string } => ({
  name,
  url: `http://${at}/metrics`,
});

/** Everything that Prometheus can read, as a file of targets (file_sd_config). */
export function targetGroups(
  nodes: Readonly<Record<string, NodeConfig>>,
): Outputs["monitoringTargets"] {
  return Object.entries(nodes).flatMap(([node, declared]) =>
    monitoringTargets(declared).map(({ name: measures, at }) => ({
      targets: [at],
      labels: { node, measures },
    })),
  );
}

function describeNetworks(node: NodeConfig, { ids }: ContainerNetworks): NodeOutputs["networks"] {
  const entries = Object.entries(node.networks).map(([name, network]) => {
    const { driver, subnet, ipv6 } = network;
    const over6 = ipv6 && { subnet: ipv6.subnet, gateway: gatewayOf(network, ipv6) };
    const addresses = { subnet, gateway: gatewayOf(network), ...(over6 && { ipv6: over6 }) };
    return [name, { id: ids[name] ?? pulumi.output(""), driver, ...addresses }] as const;
  });
  return Object.fromEntries(entries);
}

function describeWorkloads(node: NodeConfig): NodeOutputs["workloads"] {
  const entries = workloadsOf(node).map(([name, workload]) => {
    const names = Object.keys(workload.networks).map(
      (network) => [network, namesOn(name, workload, network)] as const,
    );
    const ports = portsOf(node, workload);
    return [name, { networks: Object.fromEntries(names), ports }] as const;
  });
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

const KINDS = ["volumes", "configuration", "images", "vm"] as const;

function describeBackups(backups: BackupsConfig): NodeOutputs["backups"] {
  const entries = KINDS.flatMap((kind) => {
    const declared = backups[kind];
    if (!declared) return [];
    const { schedule } = declared;
    const keepDays = "keepWeeks" in declared ? 7 * declared.keepWeeks : declared.keepDays;
    return [[kind, { schedule, keepDays }] as const];
  });
  return Object.fromEntries(entries);
}
