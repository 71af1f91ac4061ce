import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { addressOfNode } from "../config/node";
import { agentPort } from "../config/portainer";
import { NODE } from "../config/resource-types";
import type { NodeConfig } from "../config/schema";
import type { Waiver } from "../config/schema/waivers";
import type { NodeOutputs } from "../contract/schema";
import type { RecordedNode } from "../node/recorded";
import { createBackups, type BackupSecrets } from "./backup/node-backups";
import { ContainerNetworks } from "./docker/networks";
import { DockerHost } from "./docker/docker-host";
import { scanImages, type ImageScansArgs } from "./docker/image-scan";
import { Images } from "./docker/images";
import type { Repairs } from "./docker/node-script";
import { createProvider, type Passwords } from "./docker/provider";
import { describe } from "./outputs";
import { createMonitoring } from "./platform/monitoring";
import { createPortainer } from "./platform/portainer";
import { checkPrimary, type Answering, type PrimaryOutputs } from "./platform/primary";
import { VirtualMachine } from "./machine/virtual-machine";
import type { Parts } from "./shared/parts";
import { createVolumes } from "./docker/volumes";
import { createWorkloads } from "./workloads/workloads";

/** What a node needs. */
export interface DockerNodeArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Private key for SSH to the node. */
  privateKey: pulumi.Input<string>;
  /** What the state has of it; undefined for a new one. */
  recorded?: RecordedNode;
  /** What makes steps run again, to repair the node. */
  repairs?: Repairs;
  /** Volume id of the cloud image, when the machine is made from one. */
  imageVolumeId?: pulumi.Input<string>;
  /** Secret shared with Portainer; required when the node has an agent. */
  agentSecret?: pulumi.Input<string>;
  /** The one that Portainer gets next; required when the node has an agent with it. */
  agentSecretNext?: pulumi.Input<string>;
  /** Access token of Portainer; required for an environment there. */
  portainerApiKey?: pulumi.Input<string>;
  /** Passwords of registries by host; required for those with a user. */
  registryPasswords?: Passwords;
  /** Token of the Trivy server; required when the node's scans ask one. */
  scannerToken?: pulumi.Input<string>;
  /** Nodes of the same stack, into which it enters itself; default: there is no other. */
  answering?: Answering;
  /** Waivers of the stack; default: none. */
  waivers?: readonly Waiver[];
  /** Refuses to delete machine and volumes while they are protected; see `guardRemoval`. */
  guard?: pulumi.ResourceHook;
  /** Secrets that workloads use, by name. */
  workloadSecrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Secrets for the backup server; required when the node has backups. */
  backupSecrets?: BackupSecrets;
}

/**
 * A Docker host on Proxmox VE, from virtual machine to containers.
 *
 * ```ts
 * new DockerNode("proj-docker02", { node, privateKey, agentSecret }, { providers: { proxmoxve } });
 * ```
 */
export class DockerNode extends pulumi.ComponentResource {
  /** What other stacks may read. */
  readonly outputs: NodeOutputs;
  /** Provider for further resources on this node's Docker. */
  readonly dockerProvider: docker.Provider;

  constructor(name: string, args: DockerNodeArgs, opts: pulumi.ComponentResourceOptions) {
    super(NODE, name, {}, opts);
    const { node, privateKey, imageVolumeId, guard, recorded, repairs } = args;
    const machineArgs = { node, imageVolumeId, recorded, guard };
    const machine = new VirtualMachine(name, machineArgs, { parent: this });
    const { vm } = machine;
    const hostArgs = { node, privateKey, machine: vm, recorded, repairs };
    const dockerHost = new DockerHost(name, hostArgs, { parent: this, dependsOn: [machine] });
    this.dockerProvider = createProvider(name, node, args.registryPasswords, dockerHost, this);
    const ofDocker = { parent: this, provider: this.dockerProvider };
    const providers = { docker: this.dockerProvider };
    const platform = { parent: this, providers, dependsOn: [dockerHost] };
    const images = createImages(name, { ...args, dockerHost, machine: vm }, this);
    const parts = { dockerHost, machine: vm, images, repairs };
    const networks = createNetworks(name, args, parts, platform);
    const volumes = createVolumes(name, node, vm, ofDocker, guard);
    createWorkloads(name, { ...args, ...parts, networks, volumes, machine: vm }, platform);
    const { agent, environment } = createPortainer(name, { ...args, ...parts }, platform);
    createBackups(name, args, parts, platform);
    createMonitoring(name, node, parts, platform);
    const primary = joinOthers(name, args, { ...parts, agent }, { parent: this });
    const made = { machine, dockerHost, networks, agent, environment, primary };
    this.outputs = describe(name, node, made);
    this.registerOutputs(this.outputs);
  }
}

function createImages(name: string, args: ImageScansArgs, parent: pulumi.Resource): Images {
  return new Images({ ...args, scans: scanImages(name, args, { parent }) });
}

function createNetworks(
  name: string,
  { node, recorded }: DockerNodeArgs,
  { machine }: Parts,
  opts: pulumi.ComponentResourceOptions,
): ContainerNetworks {
  return new ContainerNetworks(name, { node, machine, recorded }, opts);
}

/** Other nodes of the stack may check this one, and it checks its primary. */
function joinOthers(
  name: string,
  { node, answering = new Map() }: DockerNodeArgs,
  { dockerHost, machine, agent }: Parts & { agent?: pulumi.Resource },
  opts: pulumi.CustomResourceOptions,
): PrimaryOutputs | undefined {
  answering.set(addressOfNode(node), (port) =>
    agent && port === agentPort(node) ? [dockerHost, agent] : [dockerHost],
  );
  return checkPrimary(name, { node, dockerHost, machine, answering }, opts);
}
