import { BACKUP_CONTAINER } from "./backups";
import { mayUseContainerd } from "./daemon";
import { holdsSystem, socketIn } from "./exposure";
import { lanNetworks } from "./lan";
import { CADVISOR_CONTAINER, PROXY_CONTAINER } from "./monitoring";
import { reachedAgents } from "./portainer";
import type { NodeConfig, WorkloadConfig } from "./schema";
import { userIdOf } from "./workloads";

/* How much it matters that a container has a vulnerability: who reaches it, and what of the node is in its hands. */

/** How exposed a container is. */
export interface Exposure {
  /** From 0, nobody reaches it and it is confined, to 4, others reach it and it is root of the node. */
  readonly rank: number;
  /** Why, in words; empty where nothing is special. */
  readonly words: string[];
}

/** Something that exposes a container: `reach` by whom, `power` over what. From 0 to 2 each. */
interface Reason {
  readonly reach?: number;
  readonly power?: number;
  readonly words: string;
}

/** Ranks a container of a node. The worst of each kind counts. */
export function exposureOf(node: NodeConfig, container: string): Exposure {
  const workload = node.workloads[container];
  const reasons = workload ? reasonsOf(node, workload) : ownReasons(node, container);
  const findMost = (kind: "reach" | "power"): number =>
    Math.max(0, ...reasons.map((reason) => reason[kind] ?? 0));
  return {
    rank: findMost("reach") + findMost("power"),
    words: reasons.map(({ words }) => words),
  };
}

const publishedPorts = (ports: readonly number[], loopback = false): Reason[] => {
  const list = `${ports.length === 1 ? "port" : "ports"} ${ports.join(", ")}`;
  if (ports.length === 0) return [];
  return [{ reach: loopback ? 1 : 2, words: `${list} published${loopback ? " on loopback" : ""}` }];
};

const SOCKET: Reason = { power: 2, words: "Docker's socket" };
const REAL_ROOT: Reason = { power: 2, words: "root of the node" };
const ROOT: readonly Reason[] = [SOCKET, REAL_ROOT];
const NETWORK: Reason = { reach: 1, words: "a network" };

/** Containers of the program. They run outside of the user namespace (components/). */
function ownReasons(node: NodeConfig, container: string): Reason[] {
  const own: Readonly<Record<string, () => Reason[]>> = {
    [BACKUP_CONTAINER]: () => [NETWORK, ...overriddenReasons(node.override?.backup), ...ROOT],
    [CADVISOR_CONTAINER]: () => cadvisorReasons(node),
    // It has no network.
    [PROXY_CONTAINER]: () => [SOCKET],
  };
  return own[container]?.() ?? [...agentReasons(node, container), ...ROOT];
}

/** It asks Docker through the proxy, and containerd itself where that has Docker's images. */
function cadvisorReasons({ monitoring, engine }: NodeConfig): Reason[] {
  const ports = monitoring?.cadvisor ? [monitoring.cadvisor.port] : [];
  const mounted = mayUseContainerd(engine.daemon) ? mountReasons("/run/containerd") : [];
  return [...publishedPorts(ports), ...mounted, REAL_ROOT];
}

/** An agent that reaches Portainer publishes nothing. */
function agentReasons(node: NodeConfig, agent: string): Reason[] {
  const own = reachedAgents(node).filter(([container]) => container === agent);
  const ports = own.map(([, port]) => port);
  return [
    ...(ports.length > 0 ? publishedPorts(ports) : [NETWORK]),
    ...overriddenReasons(node.override?.agent),
  ];
}

/** What an override adds; docs/explanation/architecture.md#overrides. */
function overriddenReasons(section: Readonly<Record<string, unknown>> = {}): Reason[] {
  return [
    ...(section.networkMode === "host" ? [{ reach: 2, words: "the node's own network" }] : []),
    ...(section.privileged === true ? [{ power: 2, words: "privileged" }] : []),
  ];
}

/** What a mount gives away of the node; a socket stands for the folder that it is in. */
function mountReasons(source: string): Reason[] {
  const words = socketIn(source) ?? (holdsSystem(source) && `the node's ${source}`);
  return words ? [{ power: 2, words }] : [];
}

function reasonsOf(node: NodeConfig, workload: WorkloadConfig): Reason[] {
  return [...reachOf(node, workload), ...powerOf(node, workload)];
}

function reachOf(node: NodeConfig, { ports, networks }: WorkloadConfig): Reason[] {
  const isLoopback = ({ address }: WorkloadConfig["ports"][number]): boolean =>
    address?.startsWith("127.") ?? false;
  const portsOf = (all: WorkloadConfig["ports"]): number[] => all.map(({ port }) => port);
  const names = Object.keys(networks);
  const onLan = lanNetworks(node).some(([name]) => names.includes(name));
  return [
    ...publishedPorts(portsOf(ports.filter((one) => !isLoopback(one)))),
    ...publishedPorts(portsOf(ports.filter(isLoopback)), true),
    ...(onLan ? [{ reach: 2, words: "an address of its own in the LAN" }] : []),
    ...(names.length > 0 ? [NETWORK] : []),
  ];
}

function powerOf(node: NodeConfig, workload: WorkloadConfig): Reason[] {
  const { binds, capabilities, readOnlyRoot } = workload;
  const sources = binds.map(({ source }) => source);
  const isRoot = userIdOf(workload) === 0;
  const remapped = node.engine.daemon["userns-remap"] !== undefined;
  return [
    ...sources.flatMap(mountReasons),
    ...(isRoot && !remapped ? [REAL_ROOT] : []),
    ...(isRoot && remapped ? [{ power: 1, words: "root in the container" }] : []),
    ...(capabilities.length > 0 ? [{ power: 1, words: capabilities.join(", ") }] : []),
    ...(readOnlyRoot ? [] : [{ power: 1, words: "its root is writable" }]),
  ];
}
