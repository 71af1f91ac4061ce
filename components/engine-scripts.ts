import { renderDaemonJson } from "../config/daemon";
import { machineSize } from "../config/node";
import type { NodeConfig } from "../config/schema";
import type { NodeScriptArgs } from "./node-script";
import type { ShellVariables } from "./shell";

/* What the scripts that make an engine are given, from the node's configuration. */

/** A script of `node/` with its variables. */
export type Script = Pick<NodeScriptArgs, "script" | "timeout"> & { variables: ShellVariables };

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
