import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { bareKey, machineSize, sshEndpoint } from "../config/node";
import { renderDaemonJson } from "../config/daemon";
import type { NodeConfig } from "../config/schema";
import { runNodeScript, type NodeScriptArgs } from "./node-script";
import type { ShellVariables } from "./shell";

type Connection = command.types.input.remote.ConnectionArgs;
export type Script = Pick<NodeScriptArgs, "script" | "timeout"> & { variables: ShellVariables };

export interface DockerEngineArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Private key for SSH. */
  privateKey: pulumi.Input<string>;
  /** The machine the engine runs on. */
  machine: pulumi.Resource;
}

/** What the running daemon says of itself; `node/daemon.sh` prints it. */
export interface DaemonFacts {
  readonly serverVersion: string;
  readonly apiVersion: string;
  readonly storageDriver: string;
  readonly dockerRootDir: string;
}

/**
 * Docker on a machine, over SSH: wait for the boot, prepare storage, install and hold the packages,
 * write daemon.json and start, set up access. Each step is idempotent and waits for the one before.
 */
export class DockerEngine extends pulumi.ComponentResource {
  /** The node's SSH host key, pinned from the first connection on. */
  readonly hostKey: pulumi.Output<string>;
  /** SSH to the node, host key pinned. */
  readonly connection: Connection;
  /** What the daemon says of itself. */
  readonly facts: pulumi.Output<DaemonFacts>;

  constructor(name: string, args: DockerEngineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:DockerEngine", name, {}, opts);
    const ready = waitUntilReady(name, args, this);
    this.hostKey = args.node.ssh.hostKey
      ? pulumi.output(bareKey(args.node.ssh.hostKey))
      : ready.stdout;
    this.connection = { ...connect(args.node, args.privateKey), hostKey: this.hostKey };
    const step = this.stepper(name, args.machine);
    const boot = step("boot", bootStep(args.node), ready);
    const storage = step("storage", storageStep(args.node), boot);
    const install = step("install", installStep(args.node), storage);
    const daemon = step("daemon", daemonStep(args.node), install);
    step("access", accessStep(args.node), daemon);
    this.facts = daemon.stdout.apply(parseFacts);
    this.registerOutputs({ hostKey: this.hostKey, facts: this.facts });
  }

  private stepper(name: string, machine: pulumi.Resource) {
    const { connection } = this;
    return (step: string, script: Script, after: pulumi.Resource): command.remote.Command =>
      runNodeScript(
        `${name}-${step}`,
        { ...script, connection, machine },
        { parent: this, dependsOn: [after] },
      );
  }
}

/**
 * The one gate in front of everything on the node. It dials without limit (pulumi-command#234), then waits
 * for cloud-init and prints the host key. Learned once: a newer program does not run it again.
 */
function waitUntilReady(
  name: string,
  { node, privateKey, machine }: DockerEngineArgs,
  parent: pulumi.Resource,
): command.remote.Command {
  const connection = {
    ...connect(node, privateKey),
    dialErrorLimit: -1,
    hostKey: node.ssh.hostKey,
  };
  return runNodeScript(
    `${name}-ready`,
    { script: "ready", variables: {}, timeout: "15m", connection, machine },
    { parent, dependsOn: [machine], ignoreChanges: ["create", "stdin"] },
  );
}

/** One shape for every command: a connection that differs runs its command again (pulumi-command#447). */
export function connect(node: NodeConfig, privateKey: pulumi.Input<string>): Connection {
  const { host, port } = sshEndpoint(node);
  return {
    host,
    port,
    user: node.ssh.user,
    privateKey: pulumi.secret(privateKey),
    // A delay that grows to 5 s between attempts: enough for a reboot, some four minutes.
    dialErrorLimit: 60,
    perDialTimeout: 30,
  };
}

/** More CPU or memory reboots the machine: whatever comes after waits until it is back. */
export function bootStep(node: NodeConfig): Script {
  const variables = { MACHINE: machineSize(node) };
  return { script: "boot", variables, timeout: "15m" };
}

/** Proxmox names a SCSI disk after its slot (QemuServer/Drive.pm, device id `drive-scsi1`). */
const DOCKER_DISK = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi1";

export function storageStep({ machine, engine }: NodeConfig): Script {
  const variables = {
    DATA_ROOT: dataRoot(engine),
    DISTRIBUTION_MIRROR: engine.distributionMirror,
    DOCKER_DISK: machine.dockerDisk ? DOCKER_DISK : "",
    // Not read by the script: a disk that grows has to run it again.
    DISK_SIZES: `${machine.disk.sizeGiB} ${machine.dockerDisk?.sizeGiB ?? 0}`,
  };
  return { script: "storage", variables, timeout: "10m" };
}

export function installStep({ engine }: NodeConfig): Script {
  const variables = {
    PACKAGE_SOURCE: engine.source,
    VERSION: engine.version,
    DOCKER_MIRROR: engine.mirror,
    DISTRIBUTION_MIRROR: engine.distributionMirror,
  };
  return { script: "install", variables, timeout: "30m" };
}

export function accessStep({ ssh, engine }: NodeConfig): Script {
  const variables = {
    NODE_USER: ssh.user,
    DOCKER_GROUP_MEMBERS: [ssh.user, ...engine.groupMembers].join(" "),
    AUTHORIZED_KEYS: ssh.publicKeys.join("\n"),
  };
  return { script: "access", variables, timeout: "10m" };
}

export function daemonStep({ engine }: NodeConfig): Script {
  const variables = {
    DAEMON_JSON: renderDaemonJson(engine.daemon),
    DATA_ROOT: dataRoot(engine),
    HEALTH_TIMEOUT: engine.healthTimeoutSeconds,
    DATA_LOSS_CONFIRMED: engine.confirm,
  };
  return { script: "daemon", variables, timeout: "20m" };
}

/** The idempotent scripts that make an engine on a machine that is up, in their order. */
export const engineScripts = (node: NodeConfig): readonly Script[] =>
  [storageStep, installStep, daemonStep, accessStep].map((step) => step(node));

function dataRoot(engine: NodeConfig["engine"]): string {
  return engine.daemon["data-root"] ?? "/var/lib/docker";
}

function parseFacts(stdout: string): DaemonFacts {
  return JSON.parse(stdout) as DaemonFacts;
}
