import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig, WorkloadConfig } from "../../config/schema";
import { SECRETS_PATH, WORKLOAD_LABEL, namesOn, portsOf } from "../../config/workloads";
import type { RecordedPort } from "../../node/recorded";
import { daemonDefaults, memoryLimit, nameCapability } from "../shared/container-defaults";
import { publishedPorts } from "./ports";
import { secretsFolder } from "./secrets";

/** What the container of a workload is made from. */
export interface WorkloadParts {
  /** Name of the workload. */
  readonly workload: string;
  /** The workload, as configured. */
  readonly config: WorkloadConfig;
  /** The node, as configured. */
  readonly node: NodeConfig;
  /** Ids of the node's networks, by name. */
  readonly networkIds: Readonly<Record<string, pulumi.Output<string>>>;
  /** Ports of its container in the state; none before its first `up`. */
  readonly recordedPorts?: readonly RecordedPort[];
}

/**
 * What Docker is told of a workload. The provider only makes the container; `node/workload.sh` starts it. It has no name
 * here, so that Pulumi gives every container one of its own: the earlier one stays until this one is healthy.
 */
export function workloadArgs(
  parts: WorkloadParts,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  const { workload, config, node } = parts;
  return {
    image,
    // Else data in a volume that nobody declared would go with it; node/workload.sh refuses new ones.
    ...{ start: false, mustRun: false, removeVolumes: false },
    hostname: workload,
    command: config.command,
    entrypoints: config.entrypoint,
    user: config.user,
    envs: Object.entries(config.env).map(([name, value]) => `${name}=${value}`),
    labels: labelsOf(workload, config),
    ...hostsArgs(config),
    ...confinementArgs(config),
    ...networkingArgs(parts),
    ...storageArgs(workload, config),
    ...healthCheck(config),
    ...restartArgs(config),
    stopTimeout: config.stopSeconds,
    destroyGraceSeconds: config.stopSeconds,
    ...daemonDefaults(node),
  };
}

function labelsOf(workload: string, config: WorkloadConfig): docker.types.input.ContainerLabel[] {
  const all = { ...config.labels, [WORKLOAD_LABEL]: workload };
  return Object.entries(all).map(([label, value]) => ({ label, value }));
}

/** Nothing without any: then the argument is not there at all, as it was before it existed. */
function hostsArgs({ hosts }: WorkloadConfig): Partial<docker.ContainerArgs> {
  const entries = Object.entries(hosts).flatMap(([host, addresses]) =>
    addresses.map((ip) => ({ host, ip })),
  );
  return entries.length > 0 ? { hosts: entries } : {};
}

/** Microseconds in which a container may use its processors once around; the kernel's default. */
const PERIOD = 100_000;

/**
 * The quota is what `--cpus` becomes. As `cpus`, the provider would read it back in a form of its own and replace the
 * container for the difference.
 */
function confinementArgs(config: WorkloadConfig): Partial<docker.ContainerArgs> {
  const { capabilities, readOnlyRoot, limits } = config;
  return {
    capabilities: { adds: capabilities.map(nameCapability), drops: ["ALL"] },
    readOnly: readOnlyRoot,
    securityOpts: ["no-new-privileges:true"],
    // The node's own work comes first: half of what a container has by default.
    cpuShares: 512,
    cpuPeriod: PERIOD,
    cpuQuota: Math.round(limits.cpus * PERIOD),
    ...memoryLimit(limits.memoryMiB),
  };
}

/** Without a network there is none at all: docker0 would reach out. */
function networkingArgs(parts: WorkloadParts): Partial<docker.ContainerArgs> {
  const { workload, config, node, networkIds, recordedPorts } = parts;
  const names = Object.keys(config.networks);
  if (names.length === 0) return { networkMode: "none" };
  return {
    networkMode: "bridge",
    networksAdvanced: names.map((network) => ({
      name: networkIds[network] ?? network,
      aliases: namesOn(workload, config, network),
    })),
    ports: publishedPorts(portsOf(node, config), recordedPorts),
  };
}

function storageArgs(
  workload: string,
  { volumes, binds, tmpfs, secrets }: WorkloadConfig,
): Partial<docker.ContainerArgs> {
  const folder = { source: secretsFolder(workload), path: SECRETS_PATH, readOnly: true };
  const hasSecrets = Object.keys(secrets).length > 0;
  return {
    volumes: Object.entries(volumes).map(([volumeName, { path, readOnly }]) => ({
      ...{ volumeName, containerPath: path, readOnly },
    })),
    // A mount, unlike `volumes`, makes no folder where the source is missing.
    mounts: [...binds, ...(hasSecrets ? [folder] : [])].map(({ source, path, readOnly }) => ({
      ...{ type: "bind", source, target: path, readOnly },
      bindOptions: { propagation: "rprivate" },
    })),
    // Else it has the mode of the image's folder, in which the user may not be able to write.
    tmpfs: Object.fromEntries(
      tmpfs.map(({ path, sizeMiB }) => [path, `size=${sizeMiB}m,mode=1777`]),
    ),
  };
}

function healthCheck({ healthCheck: declared }: WorkloadConfig): Partial<docker.ContainerArgs> {
  if (!declared) return {};
  const { command, retries } = declared;
  return {
    healthcheck: {
      tests: ["CMD", ...command],
      interval: toDuration(declared.intervalSeconds),
      timeout: toDuration(declared.timeoutSeconds),
      startPeriod: toDuration(declared.startPeriodSeconds),
      startInterval: toDuration(0),
      retries,
    },
  };
}

/** Seconds as Go writes a duration: 90 gives `1m30s`. Docker gives back this form, and another one is a difference. */
export function toDuration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

/** Tries of `on-failure` (CIS Docker 5.15). */
const TRIES = 5;

function restartArgs({ restart: policy }: WorkloadConfig): Partial<docker.ContainerArgs> {
  return { restart: policy, ...(policy === "on-failure" ? { maxRetryCount: TRIES } : {}) };
}

/** The restart policy as `docker update --restart` takes it. */
export const restartPolicy = ({ restart: policy }: WorkloadConfig): string =>
  policy === "on-failure" ? `${policy}:${TRIES}` : policy;
