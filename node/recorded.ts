/* What a stack's state says about a node, as far as the next run depends on it. */
import { nameResource, PART, workloadPart } from "../config/names";
import { COMMAND, CONTAINER, DOWNLOAD, NETWORK, VM } from "../config/resource-types";
import type { NodeConfig } from "../config/schema";
import { WORKLOAD_LABEL } from "../config/workloads";
import { checkableSteps } from "./checkable";

/** A resource in a stack's state. */
export interface StateResource {
  readonly type: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The resources of a state, by URN. */
export type State = Readonly<Record<string, StateResource>>;

/** Connection of the step `ready`; it holds the private key in plain text if the state is not encrypted. */
export interface RecordedConnection {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly privateKey?: string;
  readonly hostKey?: string;
  readonly dialErrorLimit?: number;
  readonly perDialTimeout?: number;
}

/** Addresses of a Docker network, as Docker told of them at the last `up` or `refresh`. */
export interface RecordedPool {
  readonly subnet?: string;
  /** Empty or undefined if Docker did not tell it. */
  readonly gateway?: string;
}

/** The container of a workload. */
export interface RecordedWorkload {
  /** Names of its volumes. */
  readonly volumes: readonly string[];
  /** Its published ports, in the order in which the provider has read them. */
  readonly ports: readonly RecordedPort[];
}

/** A published port, as the provider has it. */
export interface RecordedPort {
  readonly internal?: number;
  readonly external?: number;
  readonly ip?: string;
  readonly protocol?: string;
}

/** What Proxmox tells cloud-init about the addresses of a NIC. */
interface RecordedIpConfig {
  readonly ipv4?: { readonly address?: string; readonly gateway?: string };
  readonly ipv6?: { readonly address?: string; readonly gateway?: string };
}

/** A node that was brought up before, and whose machine stays. */
export interface RecordedNode {
  /** Proxmox node that runs the VM, as of the last `up` or `refresh`. */
  readonly proxmoxNode: string;
  /** Addresses of its NICs, by their places. Proxmox keeps one whose NIC is gone. */
  readonly ipConfigs: readonly RecordedIpConfig[];
  /** The host key that `ready` has learned. */
  readonly hostKey: string;
  readonly connection: RecordedConnection;
  /** Standard input of the steps that were run. */
  readonly stdin: Readonly<Record<string, string | undefined>>;
  /** Steps that have run, and whose standard input is a secret that whoever read the state did not open. */
  readonly sealed: readonly string[];
  /** Standard input of the step that confirmed the firewall last. */
  readonly confirmed?: string;
  /** The pools of its Docker networks, by name of the network; in no order, because the provider keeps them as a set. */
  readonly networks: Readonly<Record<string, readonly RecordedPool[]>>;
  /** Proxmox nodes to which the stack has downloaded the image that the machine declares. */
  readonly downloads: readonly string[];
  /** The workloads that it runs, by name. Some may no longer be declared. */
  readonly workloads: Readonly<Record<string, RecordedWorkload>>;
  /** AGENT_SECRET of its first agent, while one with the next secret is beside that. */
  readonly rotatedSecret?: string;
}

/** What the state has of a node; undefined before its first `up`, and when its machine is to be replaced. */
export function recordedNode(
  name: string,
  node: NodeConfig,
  state: State,
): RecordedNode | undefined {
  const outputsOf = (type: string, part: string) =>
    findOutputs(state, type, nameResource(name, part));
  const ready = outputsOf(COMMAND, PART.ready);
  const machine = outputsOf(VM, PART.vm);
  const hostKey = asText(ready.stdout)?.trim();
  // Only another id makes another machine. Proxmox moves a disk to another datastore, and the VM to another Proxmox node.
  if (!hostKey || machine.vmId !== node.machine.vmId) return undefined;
  return {
    ...ofMachine(machine, node),
    ...ofSteps(node, (step) => outputsOf(COMMAND, step).stdin),
    hostKey,
    connection: ready.connection ?? {},
    networks: networksOf(node, (network) => outputsOf(NETWORK, network)),
    downloads: downloadsOf(node, state),
    workloads: recordedWorkloads(name, state),
    rotatedSecret: rotatedSecret((container) => outputsOf(CONTAINER, container)),
  };
}

type Outputs = Readonly<Record<string, unknown>>;

function ofMachine(
  { nodeName, initialization }: Outputs,
  { machine }: NodeConfig,
): Pick<RecordedNode, "proxmoxNode" | "ipConfigs"> {
  const { ipConfigs = [] } = (initialization ?? {}) as Partial<RecordedNode>;
  return { proxmoxNode: asText(nodeName) ?? machine.proxmoxNode, ipConfigs };
}

function ofSteps(
  node: NodeConfig,
  stdinOf: (step: string) => unknown,
): Pick<RecordedNode, "stdin" | "sealed" | "confirmed"> {
  const found = checkableSteps(node).map(({ step }) => [step, stdinOf(step)] as const);
  return {
    stdin: Object.fromEntries(found.map(([step, stdin]) => [step, asText(stdin)])),
    sealed: found.flatMap(([step, stdin]) => (typeof stdin === "object" ? [step] : [])),
    confirmed: asText(stdinOf("firewall-confirm")),
  };
}

function findOutputs(state: State, type: string, resource: string): Outputs {
  const end = `${type}::${resource}`;
  const found = Object.entries(state).find(([urn, one]) => one.type === type && urn.endsWith(end));
  return found?.[1].outputs ?? {};
}

function recordedWorkloads(name: string, state: State): RecordedNode["workloads"] {
  const entries = Object.entries(state).flatMap(([urn, { type, outputs = {} }]) => {
    if (type !== CONTAINER) return [];
    const labels = (outputs.labels ?? []) as readonly { label?: string; value?: string }[];
    const workload = labels.find(({ label }) => label === WORKLOAD_LABEL)?.value;
    if (workload === undefined || !urn.endsWith(`::${nameResource(name, workloadPart(workload))}`))
      return [];
    const mounts = (outputs.volumes ?? []) as readonly { volumeName?: string }[];
    const volumes = mounts.flatMap(({ volumeName }) => volumeName ?? []);
    const ports = (outputs.ports ?? []) as readonly RecordedPort[];
    return [[workload, { volumes, ports }] as const];
  });
  return Object.fromEntries(entries);
}

function downloadsOf({ machine: { image } }: NodeConfig, state: State): readonly string[] {
  if (!image || !("url" in image)) return [];
  return Object.values(state).flatMap(
    ({ type, outputs: { datastoreId, fileName, nodeName } = {} }) => {
      const same = datastoreId === image.datastore && fileName === image.fileName;
      return type === DOWNLOAD && same && typeof nodeName === "string" ? [nodeName] : [];
    },
  );
}

function rotatedSecret(outputs: (container: string) => Outputs): string | undefined {
  const ofAgent = (agent: string) => outputs(nameResource(agent, PART.container));
  if (!ofAgent(nameResource(PART.next, PART.agent)).envs) return undefined;
  const envs = (ofAgent(PART.agent).envs ?? []) as readonly string[];
  return envs.map((env) => /^AGENT_SECRET=(.*)$/s.exec(env)?.[1]).find((secret) => secret);
}

function networksOf(
  node: NodeConfig,
  outputs: (network: string) => Outputs,
): RecordedNode["networks"] {
  const entries = Object.keys(node.networks).map((network) => {
    const pools = outputs(network).ipamConfigs as readonly RecordedPool[] | undefined;
    return [network, pools] as const;
  });
  return Object.fromEntries(
    entries.flatMap(([name, pools]) => (pools?.length ? [[name, pools]] : [])),
  );
}

const asText = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;
