import type * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { CADVISOR_CONTAINER } from "../../config/monitoring";
import { mayUseContainerd } from "../../config/daemon";
import { addressOfNode } from "../../config/node";
import type { MonitoringConfig, NodeConfig } from "../../config/schema";
import { monitoringStep } from "../../node/monitoring";
import { limitProcesses } from "../docker/container-limits";
import type { Images } from "../docker/images";
import { runNodeScript, type Repairs } from "../docker/node-script";
import { LOGGING, memoryLimit } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import type { Parts } from "../shared/parts";

export interface MonitoringArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** What is monitored, as configured. */
  monitoring: MonitoringConfig;
  /** Docker's root directory as the daemon reports it; under userns-remap it is not /var/lib/docker. */
  dockerRootDir: pulumi.Input<string>;
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
export class Monitoring extends pulumi.ComponentResource {
  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:Monitoring", name, {}, opts);
    const { node, monitoring, machine, connection } = args;
    const step = { ...monitoringStep(node, monitoring), connection, machine };
    // Removed, it takes away what it made.
    runNodeScript(
      `${name}-node`,
      { ...step, remove: "sudo -n env REMOVE=yes bash -s" },
      { parent: this },
    );
    if (monitoring.cadvisor) createCadvisor(name, args, monitoring.cadvisor, this);
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
  const { dockerRootDir } = facts;
  const args = { node, monitoring, dockerRootDir, connection, ...parts };
  new Monitoring(`${name}-monitoring`, args, opts);
}

type Cadvisor = NonNullable<MonitoringConfig["cadvisor"]>;

function createCadvisor(
  name: string,
  args: MonitoringArgs,
  cadvisor: Cadvisor,
  parent: pulumi.Resource,
): void {
  const image = args.images.pullImage(`${name}-image`, cadvisor.image, CADVISOR_CONTAINER, parent);
  const container = new docker.Container(
    `${name}-container`,
    cadvisorArgs(args, cadvisor, image.imageId),
    { parent, dependsOn: args.images.pulled, deleteBeforeReplace: true, ...livesOn(args.machine) },
  );
  limitProcesses(name, container, args, parent);
}

/** Labels of containers become labels of metrics otherwise, and each value a time series of its own. */
const FLAGS = [
  "--docker_only=true",
  "--store_container_labels=false",
  "--housekeeping_interval=30s",
  "--enable_metrics=cpu,memory,network,diskIO",
];

/**
 * What Docker is told of cAdvisor. Its documents run it privileged, with the node's root folder mounted. These metrics need
 * neither: cgroups, /proc for the counters of each network, the layers' ids below Docker's root, and Docker's socket for names.
 * The health check is the image's.
 */
export function cadvisorArgs(
  { node, dockerRootDir }: MonitoringArgs,
  { port }: Cadvisor,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  return {
    name: CADVISOR_CONTAINER,
    image,
    command: FLAGS,
    restart: "always",
    // Remapped, it may use neither Docker's socket nor its folders.
    usernsMode: "host",
    networkMode: "bridge",
    ports: [{ internal: 8080, external: port, ip: addressOfNode(node), protocol: "tcp" }],
    volumes: cadvisorMounts(node, dockerRootDir),
    readOnly: true,
    capabilities: { drops: ["ALL"] },
    // The node's own work comes first.
    cpuShares: 256,
    ...LOGGING,
    ...memoryLimit(256),
    securityOpts: ["no-new-privileges:true"],
  };
}

/**
 * With `/rootfs/proc` there, cAdvisor looks for the node's files below `/rootfs` (manager.go, docker/handler.go). In containerd's
 * store it asks containerd for the root of each container; the socket's folder stays the same when containerd starts again.
 */
const cadvisorMounts = (
  { engine }: NodeConfig,
  dockerRootDir: pulumi.Input<string>,
): docker.types.input.ContainerVolume[] => [
  readOnly("/var/run/docker.sock"),
  readOnly("/sys/fs/cgroup"),
  readOnly("/proc", "/rootfs/proc"),
  readOnly(dockerRootDir, pulumi.interpolate`/rootfs${dockerRootDir}`),
  ...(mayUseContainerd(engine.daemon) ? [readOnly("/run/containerd")] : []),
];

const readOnly = (
  hostPath: pulumi.Input<string>,
  containerPath: pulumi.Input<string> = hostPath,
): docker.types.input.ContainerVolume => ({ hostPath, containerPath, readOnly: true });
