import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../config/schema";
import type { NodeOutputs } from "../contract/schema";
import type { RecordedNode } from "../node/recorded";
import { Backups } from "./backup/backups";
import { ContainerNetworks } from "./docker/networks";
import { DockerHost, type DockerHostArgs } from "./docker/docker-host";
import { Images } from "./docker/images";
import { createProvider, type Passwords } from "./docker/provider";
import { describe } from "./outputs";
import { createMonitoring } from "./platform/monitoring";
import { PortainerAgent } from "./platform/portainer-agent";
import { registerEnvironment } from "./platform/portainer-environment";
import { checkPrimary } from "./platform/primary";
import { VirtualMachine } from "./machine/virtual-machine";
import { createVmBackup } from "./backup/vm-backup";
import { createVolumes } from "./docker/volumes";
import { createWorkloads } from "./workloads/workloads";

export interface DockerNodeArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Private key for SSH to the node. */
  privateKey: pulumi.Input<string>;
  /** What the state has of it; undefined for a new one. */
  recorded?: RecordedNode;
  /** What makes a step run again to repair the node; see node/stdin.ts. */
  repairs?: DockerHostArgs["repairs"];
  /** Volume id of the cloud image, when the machine is made from one. */
  imageVolumeId?: pulumi.Input<string>;
  /** Secret shared with Portainer; required when the node has an agent. */
  agentSecret?: pulumi.Input<string>;
  /** Access token of Portainer; required for an environment there. */
  portainerApiKey?: pulumi.Input<string>;
  /** Passwords of registries by host; required for those with a user. */
  registryPasswords?: Passwords;
  /** Refuses to delete machine and volumes while they are protected; see `guardRemoval`. */
  guard?: pulumi.ResourceHook;
  /** Secrets that workloads use, by name. */
  workloadSecrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Secrets for the backup server; required when the node has backups. */
  backupSecrets?: BackupSecrets;
}

export interface BackupSecrets {
  /** Secret of the node's API token on the backup server. */
  readonly token: pulumi.Input<string>;
  /** Encryption key, as `proxmox-backup-client key create --kdf none` writes it. */
  readonly key: pulumi.Input<string>;
  /** The backup storage of the cluster, where the program makes it. */
  readonly storage?: pulumi.Resource;
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
    super("docker-node:components:DockerNode", name, {}, opts);
    const { node, privateKey, imageVolumeId, guard, recorded, repairs } = args;
    const machineArgs = { node, imageVolumeId, recorded, guard };
    const machine = new VirtualMachine(name, machineArgs, { parent: this });
    const hostArgs = { node, privateKey, machine: machine.vm, recorded, repairs };
    const dockerHost = new DockerHost(name, hostArgs, { parent: this, dependsOn: [machine] });
    this.dockerProvider = createProvider(name, node, args.registryPasswords, dockerHost, this);
    const providers = { docker: this.dockerProvider };
    const platform = { parent: this, providers, dependsOn: [dockerHost] };
    const parts = { dockerHost, machine: machine.vm, images: new Images() };
    const networks = createNetworks(name, args, parts, platform);
    const ofDocker = { parent: this, provider: this.dockerProvider };
    const volumes = createVolumes(name, node, machine.vm, ofDocker, guard);
    createWorkloads(name, { ...args, ...parts, networks, volumes, machine }, platform);
    const agent = createAgent(name, args, parts, platform);
    const environment = registerEnvironment(name, { ...args, agent }, { parent: this });
    createBackups(name, args, parts, platform);
    createMonitoring(name, node, parts, platform);
    const primary = checkPrimary(name, { node, dockerHost, machine: machine.vm }, { parent: this });
    this.outputs = describe(name, node, {
      ...{ machine, dockerHost, networks, agent, environment, primary },
    });
    this.registerOutputs(this.outputs);
  }
}

function createNetworks(
  name: string,
  { node, recorded }: DockerNodeArgs,
  { machine }: Parts,
  opts: pulumi.ComponentResourceOptions,
): ContainerNetworks {
  return new ContainerNetworks(name, { node, machine, recorded }, opts);
}

/** What a container of the program is made of. */
interface Parts {
  readonly dockerHost: DockerHost;
  readonly machine: pulumi.Resource;
  readonly images: Images;
}

function createAgent(
  name: string,
  { node, agentSecret }: DockerNodeArgs,
  { dockerHost, machine, images }: Parts,
  opts: pulumi.ComponentResourceOptions,
): PortainerAgent | undefined {
  if (!node.portainer) return undefined;
  if (!agentSecret) throw new pulumi.RunError(`${name}: a node with portainer needs agentSecret`);
  return new PortainerAgent(
    `${name}-agent`,
    {
      node,
      portainer: node.portainer,
      secret: agentSecret,
      dockerRootDir: dockerHost.facts.dockerRootDir,
      machine,
      images,
      connection: dockerHost.connection,
    },
    opts,
  );
}

function createBackups(
  name: string,
  { node, backupSecrets }: DockerNodeArgs,
  { dockerHost, machine, images }: Parts,
  opts: pulumi.ComponentResourceOptions,
): void {
  const { backups } = node;
  if (!backups) return;
  if (!backupSecrets) throw new pulumi.RunError(`${name}: a node with backups needs backupSecrets`);
  const { token, key, storage } = backupSecrets;
  const { dockerRootDir } = dockerHost.facts;
  const { connection } = dockerHost;
  const override = node.override?.backup;
  const shared = { nodeName: name, backups, machine, images, connection, override };
  const args = { ...shared, token, key, dockerRootDir };
  const container = new Backups(`${name}-backups`, args, opts);
  if (!backups.vm) return;
  createVmBackup(name, node.machine.vmId, backups.vm, {
    parent: container,
    dependsOn: storage ? [machine, storage] : [machine],
  });
}
