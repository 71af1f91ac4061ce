import { addressOf } from "./cidr";
import type { NodeConfig } from "./schema";

/* Values that are computed from a node's declared monitoring. */

/** Name of cAdvisor's container. */
export const CADVISOR_CONTAINER = "docker_node_cadvisor";

/** Name of the container through which cAdvisor asks Docker. */
export const PROXY_CONTAINER = "docker_node_socket_proxy";

/** The parts that listen on a port. */
const LISTENING = ["nodeExporter", "cadvisor", "docker"] as const;

/** A port at which Prometheus reads. */
export interface MonitoringPort {
  /** Key of the part in `monitoring`. */
  readonly part: (typeof LISTENING)[number];
  readonly port: number;
}

/** The ports at which Prometheus reads what the node declares. */
export function monitoringPorts({ monitoring }: Pick<NodeConfig, "monitoring">): MonitoringPort[] {
  return LISTENING.flatMap((part) => {
    const declared = monitoring?.[part];
    return declared ? [{ part, port: declared.port }] : [];
  });
}

/** Hosts of `metrics-addr` that are every address of the node. */
export const EVERYWHERE = ["", "0.0.0.0", "[::]"];

/** Where dockerd listens for Prometheus; undefined if it does not. */
export function metricsAddress(node: NodeConfig): { host: string; port: number } | undefined {
  const [, host = "", port] = /^(.*):(\d+)$/.exec(node.engine.daemon["metrics-addr"] ?? "") ?? [];
  return port === undefined ? undefined : { host, port: Number(port) };
}

/** The node with the address of dockerd's metrics in its daemon.json, if they are declared. */
export function withDockerMetrics(node: NodeConfig): NodeConfig {
  const { engine, monitoring, network } = node;
  if (!monitoring?.docker) return node;
  const at = `${addressOf(network.address)}:${monitoring.docker.port}`;
  return { ...node, engine: { ...engine, daemon: { ...engine.daemon, "metrics-addr": at } } };
}
