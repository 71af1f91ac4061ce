import { isWithin } from "./checks/workloads/mounts";
import type { BackupsConfig, ProxmoxConfig } from "./schema";
import { SCHEDULE } from "./schema/backups";

/* Values that are computed from a node's declared backups. */

/** Name of the container that makes the backups. */
export const BACKUP_CONTAINER = "docker_node_backup";

const HOUR = 3600;

/** Seconds of work that may be lost (docs/reference/specification.md, section 4; images are backed up weekly). */
export const RPO = {
  volume: 24 * HOUR,
  configuration: 4 * HOUR,
  image: 7 * 24 * HOUR,
  vm: 24 * HOUR,
} as const;

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** The parts of a schedule. The day counts as in cron: 0 is Sunday. */
interface Schedule {
  readonly day?: number;
  readonly hour: number;
  readonly minute: number;
}

function parse(text: string): Schedule {
  const [, day, hour, minute] = SCHEDULE.exec(text) ?? [];
  if (hour === undefined || minute === undefined) throw new Error(`not a schedule: ${text}`);
  return {
    ...(day === undefined ? {} : { day: DAYS.indexOf(day) }),
    hour: Number(hour),
    minute: Number(minute),
  };
}

/** Turns a schedule into cron's form: `sun 03:00` gives `0 3 * * 0`. */
export function toCron(schedule: string): string {
  const { day, hour, minute } = parse(schedule);
  return `${minute} ${hour} * * ${day ?? "*"}`;
}

/** Whether a schedule runs every day. Otherwise it runs once a week. */
export function isDaily(schedule: string): boolean {
  return parse(schedule).day === undefined;
}

/** Address and port at which the workstation reaches the backup server. */
export function serverEndpoint({ endpoint, address, port }: BackupsConfig["server"]): {
  readonly host: string;
  readonly port: number;
} {
  return endpoint ?? { host: address, port };
}

/** The repository of a node's backups, as proxmox-backup-client writes it. */
export function repositoryOf({ server }: BackupsConfig): string {
  return `${server.tokenId}@${server.address}:${server.port}:${server.datastore}`;
}

/**
 * Folders of /etc that the container mounts, for the backup of the configuration (node/backup/configuration.paths), and the time zone. If
 * one is replaced, the container sees the old one until it restarts (node/backup/configuration.sh).
 */
export const CONFIGURATION_MOUNTS: readonly string[] = [
  ...["/etc/apt/keyrings", "/etc/apt/preferences.d", "/etc/apt/sources.list.d", "/etc/containerd"],
  ...["/etc/default", "/etc/docker", "/etc/localtime", "/etc/subgid", "/etc/subuid"],
  "/etc/systemd/system",
];

/** Paths of the node that the backup container mounts: those, and declared ones that are not below them. */
export const configurationMounts = (declared: readonly string[]): string[] => [
  ...CONFIGURATION_MOUNTS,
  ...declared.filter((path) => !CONFIGURATION_MOUNTS.some((mounted) => isWithin(path, mounted))),
];

/** A place on the backup server. */
export interface VmStore {
  readonly datastore: string;
  /** Empty: the root. */
  readonly namespace: string;
}

/** Where VM backups are, if they are on the node's own backup server. */
export function vmStoreOf(
  { vm, server }: BackupsConfig,
  { backupStorage }: ProxmoxConfig,
): VmStore | undefined {
  if (vm?.prunedBy !== "server" || backupStorage?.id !== vm.storage) return undefined;
  if (backupStorage.server !== server.address) return undefined;
  return { datastore: backupStorage.datastore, namespace: backupStorage.namespace ?? "" };
}
