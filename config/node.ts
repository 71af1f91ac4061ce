import { homedir } from "node:os";
import { addressOf, firstHost } from "./cidr";
import { EVERYWHERE, metricsAddress, monitoringPorts } from "./monitoring";
import { agentPorts } from "./portainer";
import type { Pool } from "./pools";
import type { NetworkConfig, NodeConfig } from "./schema";

/*
 * Values that are computed from a node's configuration. None is read from a machine, so the preview of an empty stack
 * knows them all.
 */

/** Docker's option that lets containers of a bridge network reach each other ("inter-container communication"). */
export const ICC = "com.docker.network.bridge.enable_icc";

/** Docker's option for the largest packet of a network. The drivers macvlan and ipvlan take it and do nothing (moby 28, 29). */
export const MTU = "com.docker.network.driver.mtu";

/** A host and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The node's own address, without prefix length. */
export function addressOfNode(node: NodeConfig): string {
  return addressOf(node.network.address);
}

/** SSH endpoint: the declared one, or port 22 of the node's address. */
export function sshEndpoint(node: NodeConfig): Endpoint {
  return node.ssh.endpoint ?? { host: addressOfNode(node), port: 22 };
}

/**
 * Address and port that must answer for the primary to count as reachable; undefined without a primary, and on the
 * primary itself.
 */
export function primaryOf(node: NodeConfig): Endpoint | undefined {
  if (typeof node.primary !== "object") return undefined;
  const { address, port } = node.primary;
  return address === addressOfNode(node) ? undefined : { host: address, port };
}

/** URL by which a Docker client reaches the node's daemon through SSH. */
export function dockerHostUrl(node: NodeConfig): string {
  const { host, port } = sshEndpoint(node);
  return `ssh://${node.ssh.user}@${host}:${port}`;
}

/** Whether the machine may have files and users that nobody declares: an adopted one, or one of a template. */
export const bringsItsOwn = ({ adopt, image }: NodeConfig["machine"]): boolean =>
  adopt || (image !== undefined && "template" in image);

/** Size of the machine, in words. */
export function machineSize({ machine }: NodeConfig): string {
  return `${machine.cpu.cores} cores, ${machine.memoryGiB} GiB`;
}

/**
 * Gateway of a network, over IPv4 or in another of its pools: the declared one, else the subnet's first address, as Docker
 * chooses it (moby libnetwork/network.go, ipamAllocateVersion). An internal network has none.
 */
export function gatewayOf(
  network: NetworkConfig,
  { subnet, gateway }: Pick<Pool, "subnet" | "gateway"> = network,
): string | undefined {
  if (network.driver === "bridge" && network.internal) return undefined;
  return gateway ?? firstHost(subnet);
}

/** Metrics on the node that Prometheus can read from another machine. */
export interface MonitoringTarget {
  /** What is measured. */
  readonly name: "docker" | "node" | "containers";
  /** Address and port. */
  readonly at: string;
}

/** What the exporters measure, by their keys in `monitoring`. */
const MEASURES = { nodeExporter: "node", cadvisor: "containers" } as const;

/** Metrics that other machines can read: of dockerd, unless `metrics-addr` is loopback, and of the declared exporters. */
export function monitoringTargets(node: NodeConfig): MonitoringTarget[] {
  const exporters = monitoringPorts(node).flatMap(({ part, port }): MonitoringTarget[] =>
    part === "docker" ? [] : [{ name: MEASURES[part], at: `${addressOfNode(node)}:${port}` }],
  );
  const metrics = metricsAddress(node);
  if (!metrics || /^(127\.|localhost$|\[::1\]$)/.test(metrics.host)) return exporters;
  const { host, port } = metrics;
  const address = EVERYWHERE.includes(host) ? addressOfNode(node) : host;
  return [{ name: "docker", at: `${address}:${port}` }, ...exporters];
}

/** TCP ports that the program opens on a node: SSH, the agent's, those of its monitoring. */
export const servicePorts = (node: NodeConfig): number[] => [
  22,
  ...agentPorts(node),
  ...monitoringPorts(node).map(({ port }) => port),
];

/** Ports of the node itself at which metrics are read. */
export const metricsPorts = (node: NodeConfig): number[] =>
  monitoringTargets(node).map(({ at }) => Number(at.split(":").at(-1)));

/** Replaces a leading `~` by the home directory. */
export function homePath(path: string): string {
  return path.replace(/^~(?=\/)/, homedir());
}

/** Returns the type and base64 of an OpenSSH public key, without its comment. */
export function bareKey(publicKey: string): string {
  return publicKey.trim().split(/\s+/).slice(0, 2).join(" ");
}

/** The part of a node that SSH's options need. */
interface WithPrivateKey {
  readonly ssh: Pick<NodeConfig["ssh"], "privateKeyFile">;
}

/**
 * Options of the `ssh` that the Docker provider starts. The options carry the host key (KnownHostsCommand,
 * ssh_config(5)), so ssh checks it without a known_hosts file on the workstation.
 */
export function sshOptions({ ssh }: WithPrivateKey, hostKey: string): string[] {
  const options = [
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    `HostKeyAlgorithms=${bareKey(hostKey).split(" ")[0] ?? ""}`,
    `KnownHostsCommand=/bin/echo %H ${bareKey(hostKey)}`,
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
  ];
  return ["-i", ssh.privateKeyFile, ...options.flatMap((option) => ["-o", option])];
}

/** The one checksum of a cloud image (checks/machine.ts), and its kind as Proxmox names it. */
export function checksumOf({ sha256, sha512 = "" }: { sha256?: string; sha512?: string }): {
  kind: "sha256" | "sha512";
  checksum: string;
} {
  return sha256 === undefined
    ? { kind: "sha512", checksum: sha512 }
    : { kind: "sha256", checksum: sha256 };
}

/** A PVE firewall rule, before it becomes a resource. */
export interface FirewallRule {
  readonly comment: string;
  readonly source?: string;
  readonly proto: string;
  readonly port?: string;
}

/** Inbound rules of the node's NIC: SSH from management, the agent from Portainer, metrics from Prometheus, then the declared ones. */
export function firewallRules(node: NodeConfig): FirewallRule[] {
  const { firewall } = node.network;
  if (!firewall) return [];
  const ssh = firewall.managementNetworks.map((source) => ({
    comment: "SSH from management",
    source,
    proto: "tcp",
    port: "22",
  }));
  const agents = agentPorts(node).map((port) => ({
    comment: "Portainer agent from the Portainer server",
    source: node.portainer?.server,
    proto: "tcp",
    port: String(port),
  }));
  const declared = firewall.rules.map((rule) => ({ ...rule, comment: rule.comment ?? "declared" }));
  return [...ssh, ...agents, ...metricsRules(node), ...declared];
}

function metricsRules(node: NodeConfig): FirewallRule[] {
  const ports = monitoringPorts(node);
  return (node.monitoring?.scrapers ?? []).flatMap((source) =>
    ports.map(({ part, port }) => ({
      comment: `Metrics (${part}) from Prometheus`,
      source,
      proto: "tcp",
      port: String(port),
    })),
  );
}
