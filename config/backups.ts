import type { BackupsConfig } from "./schema";
import { SCHEDULE } from "./schema/backups";

/* What follows from the backups a node declares. */

/** Name of the container that makes the backups. */
export const BACKUP_CONTAINER = "docker_node_backup";

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** A schedule's parts; the day is that of cron, 0 for Sunday. */
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

/** A schedule as cron has it: `sun 03:00` gives `0 3 * * 0`. */
export function toCron(schedule: string): string {
  const { day, hour, minute } = parse(schedule);
  return `${minute} ${hour} * * ${day ?? "*"}`;
}

/** Whether it comes round every day; otherwise it is once a week. */
export function isDaily(schedule: string): boolean {
  return parse(schedule).day === undefined;
}

/** Where the workstation reaches the server. */
export function serverEndpoint({ endpoint, address, port }: BackupsConfig["server"]): {
  readonly host: string;
  readonly port: number;
} {
  return endpoint ?? { host: address, port };
}

/** The client's name for where a node's backups go. */
export function repositoryOf({ server }: BackupsConfig): string {
  return `${server.tokenId}@${server.address}:${server.port}:${server.datastore}`;
}
