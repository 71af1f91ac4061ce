import { addressOf } from "../../cidr";
import { logProblems } from "../../daemon/log-drivers";
import { EVERYWHERE, metricsAddress, monitoringPorts } from "../../monitoring";
import { agentPorts } from "../../portainer";
import type { NodeConfig } from "../../schema";
import type { Report } from "../report";
import { isBefore } from "./versions";

export function checkLogOptions({ engine: { daemon } }: NodeConfig, report: Report): void {
  const { "log-driver": driver = "json-file", "log-opts": options = {} } = daemon;
  for (const { option, allowed } of logProblems(driver, options))
    report(`engine/daemon/log-opts/${option}`, options[option], allowed);
}

/**
 * dockerd does not start where it cannot listen for Prometheus, and it listens before it makes docker0 (startMetricsServer
 * in moby).
 */
export function checkMetricsAddress(node: NodeConfig, report: Report): void {
  const at = node.engine.daemon["metrics-addr"];
  const metrics = metricsAddress(node);
  if (!metrics) return;
  const { host, port } = metrics;
  const path = "engine/daemon/metrics-addr";
  const own = addressOf(node.network.address);
  if (![own, "localhost", ...EVERYWHERE].includes(host) && !isLoopback(host))
    report(path, at, `an address of the node itself, such as ${own}:9323 or 127.0.0.1:9323`);
  const owner = ownersOf(node, isLoopback(host)).get(port);
  if (owner) report(path, at, `a port of its own; ${owner} has this one`);
}

const isLoopback = (host: string): boolean => host.startsWith("127.") || host === "[::1]";

/**
 * Who else listens on which port of the node; on loopback it is SSH alone. Ports of workloads are compared in
 * checks/workloads/network.ts.
 */
function ownersOf(node: NodeConfig, loopback: boolean): Map<number, string> {
  if (loopback) return new Map([[22, "SSH"]]);
  const exporters = monitoringPorts(node).filter(({ part }) => part !== "docker");
  return new Map([
    [22, "SSH"],
    ...agentPorts(node).map((port) => [port, "the Portainer agent"] as const),
    ...exporters.map(({ part, port }) => [port, `monitoring.${part}`] as const),
  ]);
}

/** A label may have only one value (GetConflictFreeLabels in moby daemon/config/config.go). */
export function checkLabels({ engine }: NodeConfig, report: Report): void {
  const values = new Map<string, string>();
  for (const [index, label] of (engine.daemon.labels ?? []).entries()) {
    const [key = "", ...rest] = label.split("=");
    const value = rest.join("=");
    const other = values.get(key);
    if (other !== undefined && other !== value)
      report(
        `engine/daemon/labels/${index}`,
        label,
        `one value for ${key}; another label sets it to ${other}`,
      );
    values.set(key, value);
  }
}

/** Names that Docker 28 introduced. Earlier releases ignore them without a message. */
const SPACES = ["reservedSpace", "maxUsedSpace", "minFreeSpace"] as const;
const DEFAULTS = ["defaultReservedSpace", "defaultMaxUsedSpace", "defaultMinFreeSpace"] as const;

export function checkBuilder({ engine }: NodeConfig, report: Report): void {
  const gc = engine.daemon.builder?.gc ?? {};
  const path = "engine/daemon/builder/gc";
  const { policy = [] } = gc;
  const found: [string, string][] = [
    ...DEFAULTS.flatMap((name): [string, string][] => (gc[name] ? [[name, gc[name]]] : [])),
    ...policy.flatMap((rule, index) =>
      SPACES.flatMap((name): [string, string][] =>
        rule[name] ? [[`policy/${index}/${name}`, rule[name]]] : [],
      ),
    ),
  ];
  if (isBefore(engine.version, "28.0"))
    for (const [name, value] of found)
      report(
        `${path}/${name}`,
        value,
        `needs Docker 28 or later; for ${engine.version} use keepStorage or defaultKeepStorage`,
      );
}
