import { addressOf } from "../config/cidr";
import { DOCKER0_KEYS, reloadableKeys, renderDaemonJson } from "../config/daemon";
import { SOCKET_USERS } from "../config/docker-socket";
import { bootedWith } from "../config/boot";
import { addressOfNode } from "../config/node";
import { DATA_ROOT } from "../config/node-paths";
import { hasOutsideRuntime } from "../config/outside";
import { authoritiesOf } from "../config/registries";
import type { NodeConfig } from "../config/schema";
import { hardeningUnits } from "../config/schema/hardening";
import { renderRules, rulesId, sshSources } from "./firewall";
import { renderRuntime, type ScriptName, type ShellVariables } from "./scripts";

/* The steps that set up a node: each is a script with values from the node's configuration. */

/** A script of `node/` with what it is given. */
export interface Script {
  readonly script: ScriptName;
  /** Its limits are among them. */
  readonly variables: ShellVariables;
  /** Longest time that it may take, including connecting and waiting, such as "1200s". */
  readonly timeout: string;
}

/** Seconds a script may take that waits for apt: a first boot's jobs hold its locks for many minutes. */
const APT_SECONDS = 1800;

/** Seconds to connect: the machine may be rebooting. */
const CONNECT_SECONDS = 300;

/** Seconds the first connection may take: the machine boots for the first time. */
const FIRST_CONNECT_SECONDS = 900;

/** Seconds between two attempts of the command plugin, once the pause has grown to its maximum. */
const DIAL_SECONDS = 5;

/** Attempts to connect. Without a limit the plugin (1.2.1) never gives up, and never says why an attempt failed. */
export const DIALS = {
  each: CONNECT_SECONDS / DIAL_SECONDS,
  first: FIRST_CONNECT_SECONDS / DIAL_SECONDS,
} as const;

/**
 * The one place where limits come from. A script ends itself on the node after `limit` seconds, and waits at most
 * `wait` seconds for another run there; the step that runs it outlasts both, so that the script's message is seen.
 */
export function bind(
  script: ScriptName,
  variables: ShellVariables,
  limit: number,
  { wait = 0, connect = CONNECT_SECONDS } = {},
): Script {
  const limits = { LIMIT: limit, ...(wait > 0 ? { LOCK_TIMEOUT: wait } : {}) };
  return { script, timeout: `${connect + wait + limit}s`, variables: { ...variables, ...limits } };
}

/** A script that changes the node. Only one runs at a time, so it may have to wait for the longest of the others. */
export function bindChanging(
  node: NodeConfig,
  script: ScriptName,
  variables: ShellVariables,
  limit: number,
): Script {
  return bind(script, variables, limit, { wait: Math.max(APT_SECONDS, daemonLimit(node)) });
}

/** Time for a start, a stop and a start with the earlier file, each as long as the daemon may take to answer, and for the rest. */
function daemonLimit({ engine }: NodeConfig): number {
  return 600 + 4 * engine.healthTimeoutSeconds;
}

/** Waits for the first boot: a quarter of an hour of cloud-init. */
export function readyStep(): Script {
  return bind("ready", {}, 1000, { connect: FIRST_CONNECT_SECONDS });
}

/** Some changes reboot the machine. The later steps wait until it is back. */
export function bootStep(node: NodeConfig): Script {
  return bind("boot", { MACHINE: bootedWith(node) }, 800);
}

/** Also run when there are none any more: it takes back what it wrote. */
export function nicsStep(node: NodeConfig): Script {
  const ADDRESSES = node.network.nics.map(({ address }) => addressOf(address)).join(" ");
  return bindChanging(node, "nics", { ADDRESSES }, 180);
}

/** Proxmox names a SCSI disk after its slot (QemuServer/Drive.pm, device id `drive-scsi1`). */
const DOCKER_DISK = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi1";

/** Prepares the disks. It runs again when one grows. */
export function storageStep(node: NodeConfig): Script {
  const { machine, engine } = node;
  const variables = {
    DATA_ROOT: dataRoot(engine),
    DISTRIBUTION_MIRROR: engine.distributionMirror,
    DOCKER_DISK: machine.dockerDisk ? DOCKER_DISK : "",
    // Not read by the script: a disk that grows has to run it again.
    DISK_SIZES: `${machine.disk.sizeGiB} ${machine.dockerDisk?.sizeGiB ?? 0}`,
  };
  return bindChanging(node, "storage", variables, APT_SECONDS);
}

/** Installs Docker's packages and holds their version. */
export function installStep(node: NodeConfig): Script {
  const { engine } = node;
  const variables = {
    PACKAGE_SOURCE: engine.source,
    VERSION: engine.version,
    DOCKER_MIRROR: engine.mirror,
    REPOSITORY_KEY_FINGERPRINT: engine.mirrorKey,
    DISTRIBUTION_MIRROR: engine.distributionMirror,
    // The script's own default is the same; without it, the step of most nodes stays as it was run.
    DATA_ROOT: engine.daemon["data-root"] === DATA_ROOT ? undefined : engine.daemon["data-root"],
    SOCKET_USERS: SOCKET_USERS.join(" "),
  };
  return bindChanging(node, "install", variables, APT_SECONDS);
}

/** Gives people their SSH keys and the right to use Docker. */
export function accessStep(node: NodeConfig): Script {
  const { ssh, engine } = node;
  const variables = {
    NODE_USER: ssh.user,
    DOCKER_GROUP_MEMBERS: [ssh.user, ...engine.groupMembers].join(" "),
    AUTHORIZED_KEYS: ssh.publicKeys.join("\n"),
  };
  return bindChanging(node, "access", variables, 600);
}

/** Also run when nothing is declared any more: it takes back what it wrote. */
export function registriesStep(node: NodeConfig): Script {
  const CERTIFICATES = [...authoritiesOf(node)].flat().join("\n");
  return bindChanging(node, "registries", { CERTIFICATES }, 180);
}

/** Comes last, because it watches files that the earlier steps make. */
export function hardeningStep(node: NodeConfig): Script {
  const { ssh, engine, hardening } = node;
  const { source, version, daemon } = engine;
  const variables = {
    UNITS: hardeningUnits(hardening).join(" "),
    NODE_USER: ssh.user,
    SSH_USERS: [...engine.groupMembers, ...hardening.sshUsers].join(" "),
    FORWARDING: String(hardening.sshForwarding),
    DATA_ROOT: dataRoot(engine),
    // Not read by the script: with another Docker, its programs and the folders of its containers are others for auditd.
    DOCKER: [source, version, daemon["userns-remap"], daemon["storage-driver"]].join(" "),
  };
  return bindChanging(node, "hardening", variables, APT_SECONDS);
}

/** Loads the node's own firewall, or takes it away. New rules last only if the next step confirms them. */
export function firewallStep(node: NodeConfig): Script {
  const rules = renderRules(node);
  const variables = {
    RULES: rules,
    ID: rulesId(rules),
    SSH_SOURCES: sshSources(rules).join(" "),
    ADDRESS: addressOfNode(node),
  };
  return bindChanging(node, "firewall", variables, APT_SECONDS);
}

/** Confirms the rules over a connection of its own, which they let in. Waits for no other run: the rules are soon taken back. */
export function confirmFirewallStep(node: NodeConfig): Script {
  return bind("firewall/confirm", { ID: rulesId(renderRules(node)) }, 60);
}

/** Writes daemon.json, and starts, reloads or restarts dockerd as the change needs it. */
export function daemonStep(node: NodeConfig): Script {
  const { engine } = node;
  const variables = {
    DAEMON_JSON: renderDaemonJson(engine.daemon),
    DATA_ROOT: dataRoot(engine),
    HEALTH_TIMEOUT: engine.healthTimeoutSeconds,
    DATA_LOSS_CONFIRMED: engine.confirm,
    RELOADABLE: reloadableKeys(engine.daemon).join(" "),
    DOCKER0_KEYS: DOCKER0_KEYS.join(" "),
    RUNTIME: hasOutsideRuntime(node) ? renderRuntime() : undefined,
  };
  return bindChanging(node, "daemon", variables, daemonLimit(node));
}

/** The steps that set up a machine that is up, with Docker, in their order. Each is idempotent. */
export const dockerSteps = (node: NodeConfig): readonly Script[] =>
  [
    ...(node.network.nics.length > 0 ? [nicsStep] : []),
    ...[storageStep, installStep, daemonStep],
    ...(authoritiesOf(node).size > 0 ? [registriesStep] : []),
    ...[accessStep, hardeningStep],
  ].map((step) => step(node));

const dataRoot = ({ daemon }: NodeConfig["engine"]): string => daemon["data-root"] ?? DATA_ROOT;
