import { z } from "zod";
import { isAddress } from "../cidr";
import { absolutePath, fingerprint, identifier, pinnedImage, port } from "./fields";

/*
 * Backups of a node to a Proxmox Backup Server (docs/reference/specification.md, section 4). Times are in the node's time
 * zone. The server decides what is kept, because a node may add backups but not remove them.
 */

/** A time of day, or of a week. */
export const SCHEDULE = /^(?:(sun|mon|tue|wed|thu|fri|sat) )?([01]\d|2[0-3]):([0-5]\d)$/;

const schedule = z.string().regex(SCHEDULE, {
  error: 'a time of day, such as "02:30", or of a week, such as "sun 03:00"',
});

/** A host, as it stands in a URL or in the client's repository: without brackets. */
const host = z
  .string()
  .refine((text) => isAddress(text) || (isHostName(text) && !/^[\d.]+$/.test(text)), {
    error: "an IPv4 address or a host name, such as 10.25.10.12 or pbs01.example.org",
  });

function isHostName(text: string): boolean {
  return text.length <= 253 && /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?)+$/.test(text);
}

/** Ids of Proxmox (pbs-api-types, PROXMOX_SAFE_ID_REGEX and USER_NAME_REGEX). */
const SAFE_ID = "[A-Za-z0-9_][\\w.-]*";
const USER = `[^\\s:/@!\\p{Cc}]+@${SAFE_ID}`;

const tokenId = z.string().regex(new RegExp(`^${USER}!${SAFE_ID}$`, "u"), {
  error: "an API token, user@realm!name, such as backup@pbs!proj-docker02",
});
const userOrToken = z.string().regex(new RegExp(`^${USER}(!${SAFE_ID})?$`, "u"), {
  error: "a user or an API token, such as backup@pbs or pve@pbs!docker-node",
});
const safeId = z.string().regex(new RegExp(`^${SAFE_ID}$`), {
  error: "a name of letters, digits, _ . - that does not begin with . or -",
});

/** Eight levels at most (pbs-api-types, MAX_NAMESPACE_DEPTH). */
const namespace = z.string().regex(new RegExp(`^${SAFE_ID}(/${SAFE_ID}){0,7}$`), {
  error: "a namespace: names of letters, digits, _ . - with / between them, eight levels at most",
});

const keepDays = z
  .int()
  .min(1)
  .max(3650)
  .describe(
    "Days to keep: the last backup of each day stays. The server's prune job removes the others (docs/how-to/prepare-the-backup-server.md).",
  );

const server = z.strictObject({
  address: host.describe("The backup server as the node reaches it."),
  port: port.default(8007),
  datastore: safeId.describe("Datastore with the namespace `<node name>`."),
  fingerprint: fingerprint.describe("SHA-256 of the server's certificate; no other is accepted."),
  tokenId: tokenId.describe(
    "API token of the node. It has the role DatastoreBackup on its own namespace, so it can add backups but not remove them.",
  ),
  endpoint: z
    .strictObject({ host: z.string().min(1), port })
    .optional()
    .describe("The server as the workstation reaches it, if that differs."),
});

const vm = z.strictObject({
  schedule: schedule
    .default("03:30")
    .describe("When it runs, in the time zone of the Proxmox node."),
  keepDays: keepDays.default(30).describe("Days to keep: the last backup of each day stays."),
  prunedBy: z
    .enum(["job", "server"])
    .default("job")
    .describe(
      "Who removes older backups: the job itself, whose token then needs that right, or a prune job of the backup server (docs/how-to/prepare-the-backup-server.md).",
    ),
  storage: identifier.describe("Proxmox storage of type `pbs`."),
  mode: z.enum(["snapshot", "suspend", "stop"]).default("snapshot"),
  notesTemplate: z
    .string()
    .max(1024)
    .regex(/^[^\n]*$/, { error: "one line; \\n stands for a line break" })
    .default("{{guestname}} ({{vmid}}) on {{node}}")
    .describe(
      "Notes of each backup; {{cluster}}, {{guestname}}, {{node}}, {{vmid}} are filled in.",
    ),
  repeatMissed: z
    .boolean()
    .default(true)
    .describe("Run a backup later if the host was down at its time."),
  fleecing: z
    .strictObject({ storage: identifier })
    .optional()
    .describe(
      "Fast storage for blocks that the guest overwrites before a slow backup has read them.",
    ),
});

/** `backups` of a node. */
export const backupsSchema = z.strictObject({
  server,
  image: pinnedImage.describe("Image made from `node/backup/`."),
  volumes: z
    .strictObject({ schedule: schedule.default("02:30"), keepDays: keepDays.default(30) })
    .default({ schedule: "02:30", keepDays: 30 })
    .describe("Every Docker volume, each in a backup of its own."),
  configuration: z
    .strictObject({
      schedule: schedule.default("02:45"),
      keepDays: keepDays.default(90),
      paths: z
        .array(absolutePath)
        .default([])
        .describe("Further files and directories, such as /opt/compose. They have to exist."),
    })
    .default({ schedule: "02:45", keepDays: 90, paths: [] })
    .describe(
      "daemon.json, units, keyrings, definitions. If they changed, also every three hours.",
    ),
  images: z
    .strictObject({
      schedule: schedule.default("sun 03:00"),
      keepWeeks: z
        .int()
        .min(1)
        .max(520)
        .default(4)
        .describe("Weeks to keep: the last backup of each week stays, as for `keepDays`."),
    })
    .default({ schedule: "sun 03:00", keepWeeks: 4 })
    .describe("Every image a container uses."),
  vm: vm.optional().describe("The whole VM, by a backup job of the Proxmox cluster."),
});

/** `backupStorage` of the cluster. Its port is 8007, because the provider cannot set another. */
export const backupStorageSchema = z
  .strictObject({
    id: identifier.describe("Name of the storage in Proxmox VE."),
    server: host,
    datastore: safeId,
    namespace: namespace.optional(),
    username: userOrToken.describe(
      "User or token of the backup server, such as pve@pbs!docker-node.",
    ),
    fingerprint,
  })
  .describe(
    "The backup server as a storage of the cluster. Without this key, the storage has to exist already.",
  );
