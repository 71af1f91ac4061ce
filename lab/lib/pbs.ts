/**
 * The lab's backup server (`lab/pbs/`): a stand-in for Proxmox Backup Server that speaks its documented protocol,
 * and the client's programs. It keeps everything below `<stateDir>/pbs`.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { buildOnce, cacheDir, contentHash } from "./cache";
import type { Credentials } from "./instance";
import { servicePort } from "./ports";
import { goBuild } from "./run";
import { runningService, startService, stopService, type Log } from "./service";

const MODULE = path.join(__dirname, "../pbs");
const PROGRAMS = ["proxmox-backup-client", "pxar", "pbs-server"];
const NAME = "pbs";

/** Nodes that have namespaces and a token in the lab. */
export const PBS_NODES = ["proj-docker01", "proj-docker02"] as const;

/** Kinds of backups. Each has its own namespace, because a prune job applies to a namespace. */
export const PBS_KINDS = ["volumes", "configuration", "images"] as const;

/** Datastores: `docker` for the nodes' backups, `pbs01` for VM backups from Proxmox VE. */
export const PBS_STORES = ["docker", "pbs01"] as const;

/** An API token, or a user with a password. */
export interface PbsLogin {
  /** `user@realm!token`, or `user@realm`. */
  readonly id: string;
  readonly secret: string;
}

/** The settings file of `pbs-server`, which reads it again whenever it changes. */
export interface PbsSettings {
  listen: string;
  state: string;
  ready: string;
  datastores: { name: string; path: string; quota?: number; namespaces?: string[] }[];
  users: PbsAccount[];
  tokens: PbsAccount[];
  acl: { path: string; auth: string; role: string; propagate?: boolean }[];
  /** The API shows them, but nothing runs them. */
  pruneJobs?: object[];
}

/** `expire` in seconds since the epoch. A user without a secret cannot log in. */
export interface PbsAccount {
  id: string;
  secret?: string;
  expire?: number;
  disable?: boolean;
}

/** The running server. */
export interface PbsServer {
  /** Loopback port. */
  readonly port: number;
  readonly pid: number;
  /** SHA-256 of the certificate, 32 pairs of hexadecimal digits. */
  readonly fingerprint: string;
  /** Directory with `proxmox-backup-client` and `pxar`: static programs that run on any Linux. */
  readonly clientDir: string;
  /** May be rewritten, as to expire a token: see {@link changePbs}. */
  readonly settingsFile: string;
}

/** A server and its access tokens. */
export interface PbsAccess extends PbsServer {
  /** In the guests' network. */
  readonly address: string;
  /** By node: may make backups below the node's namespace, and read its own. */
  readonly backupTokens: Readonly<Record<string, PbsLogin>>;
  /** May read everything in `docker`. */
  readonly restoreToken: PbsLogin;
  /** Token with which Proxmox VE uses `pbs01`. It may also prune there. */
  readonly storageToken: PbsLogin;
  /** May do everything; for tests. */
  readonly admin: PbsLogin;
  /** Keyfile of client-side encryption. */
  readonly keyFile: string;
}

/** The programs, built once; half a minute the first time. */
export async function pbsPrograms(log: Log): Promise<string> {
  return buildOnce(cacheDir("pbs", contentHash([MODULE])), async (into) => {
    log("pbs: building the backup server and its client, once");
    for (const program of PROGRAMS)
      await goBuild(MODULE, `./cmd/${program}`, path.join(into, program));
  });
}

/** Settings of the lab's server: both datastores, and the same access that `commands/backups/pbs-server` grants. */
export function pbsSettings(root: string, port: number, logins: PbsLogins): PbsSettings {
  const { backupTokens, restoreToken, storageToken, admin } = logins;
  const tokens = [...Object.values(backupTokens), restoreToken, storageToken];
  const users = [...new Set(tokens.map(({ id }) => userOf(id)))];
  return {
    listen: `127.0.0.1:${port}`,
    state: root,
    ready: path.join(root, "ready.json"),
    datastores: PBS_STORES.map((name) => ({
      name,
      path: path.join(root, name),
      ...(name === "docker" ? { namespaces: listNamespaces() } : {}),
    })),
    users: [admin, ...users.map((id) => ({ id }))],
    tokens,
    acl: [
      ...Object.entries(backupTokens).flatMap(([node, { id }]) =>
        grant(`/datastore/docker/${node}`, id, "DatastoreBackup"),
      ),
      ...grant("/datastore/docker", restoreToken.id, "DatastoreReader"),
      ...grant("/datastore/pbs01", storageToken.id, "DatastorePowerUser"),
    ],
    pruneJobs: PBS_NODES.flatMap((node) => PBS_KINDS.map((kind) => pruneJob(node, kind))),
  };
}

/** As `commands/backups/pbs-server` makes them by default. */
function pruneJob(node: string, kind: (typeof PBS_KINDS)[number]): object {
  const keep = {
    volumes: { "keep-daily": 30 },
    configuration: { "keep-daily": 90 },
    images: { "keep-weekly": 4 },
  }[kind];
  const place = { store: "docker", ns: `${node}/${kind}`, "max-depth": 0, schedule: "05:00" };
  return { id: `${node}-${kind}`, ...place, ...keep };
}

type PbsLogins = Pick<PbsAccess, "backupTokens" | "restoreToken" | "storageToken" | "admin">;

const userOf = (id: string): string => id.split("!")[0] ?? id;

const listNamespaces = (): string[] =>
  PBS_NODES.flatMap((node) => PBS_KINDS.map((kind) => `${node}/${kind}`));

/** Grants a role to a token and to its user, because a token may do only what its user may do too. */
function grant(at: string, id: string, role: string): PbsSettings["acl"] {
  return [userOf(id), id].map((auth) => ({ path: at, auth, role }));
}

/** Who may use the lab's server. */
export function pbsLogins(keys: Credentials["pbs"]): PbsLogins {
  const tokens = PBS_NODES.map((node) => [
    node,
    { id: `backup@pbs!${node}`, secret: keys.backupSecrets[node] ?? "" },
  ]);
  return {
    backupTokens: Object.fromEntries(tokens) as Record<string, PbsLogin>,
    restoreToken: { id: "restore@pbs!workstation", secret: keys.restoreSecret },
    storageToken: { id: "pve@pbs!pbs01", secret: keys.storageSecret },
    admin: { id: "root@pam", secret: keys.adminPassword },
  };
}

const rootOf = (stateDir: string): string => path.join(stateDir, NAME);
const settingsOf = (stateDir: string): string => path.join(rootOf(stateDir), "settings.json");

function writePrivate(file: string, text: string): void {
  fs.writeFileSync(`${file}.new`, text, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}

/** Rewrites a server's settings. They apply from its next request on. */
export function changePbs(settingsFile: string, change: (settings: PbsSettings) => void): void {
  const settings = JSON.parse(fs.readFileSync(settingsFile, "utf8")) as PbsSettings;
  change(settings);
  writePrivate(settingsFile, JSON.stringify(settings, null, 1));
}

/** Starts a server with these settings, or finds it running and gives it these settings. */
export async function startPbsServer(
  o: { stateDir: string; settings: (root: string, port: number) => PbsSettings },
  log: Log,
): Promise<PbsServer> {
  const { stateDir } = o;
  const clientDir = await pbsPrograms(log);
  const port = await servicePort(stateDir, NAME);
  fs.mkdirSync(rootOf(stateDir), { recursive: true, mode: 0o700 });
  const settings = o.settings(rootOf(stateDir), port);
  if (!runningService(stateDir, NAME)) fs.rmSync(settings.ready, { force: true });
  const settingsFile = settingsOf(stateDir);
  writePrivate(settingsFile, JSON.stringify(settings, null, 1));
  const command = path.join(clientDir, "pbs-server");
  const isReady = (): Promise<boolean> => Promise.resolve(fs.existsSync(settings.ready));
  const args = ["serve", settingsFile];
  const service = await startService(
    { name: NAME, command, args, stateDir, port, ready: isReady },
    log,
  );
  const written = JSON.parse(fs.readFileSync(settings.ready, "utf8")) as { fingerprint: string };
  return { ...service, fingerprint: written.fingerprint, clientDir, settingsFile };
}

/** Starts the lab's server, or finds it running. */
export async function startPbs(
  o: { stateDir: string; credentials: Credentials; address: string },
  log: Log,
): Promise<PbsAccess> {
  const logins = pbsLogins(o.credentials.pbs);
  const makeSettings = (root: string, port: number): PbsSettings => pbsSettings(root, port, logins);
  const server = await startPbsServer({ stateDir: o.stateDir, settings: makeSettings }, log);
  const keyFile = path.join(rootOf(o.stateDir), "encryption-key.json");
  writePrivate(keyFile, o.credentials.backupKey);
  return { ...server, ...logins, address: o.address, keyFile };
}

/** Stops the server of a state directory. Its data stays. */
export async function stopPbs(stateDir: string): Promise<void> {
  await stopService(stateDir, NAME);
}

/** Environment of `proxmox-backup-client` on this machine, for a datastore. */
export function pbsEnv(
  server: Pick<PbsServer, "port" | "fingerprint">,
  login: PbsLogin,
  store: string,
): Record<string, string> {
  return {
    PBS_REPOSITORY: `${login.id}@127.0.0.1:${server.port}:${store}`,
    PBS_PASSWORD: login.secret,
    PBS_FINGERPRINT: server.fingerprint,
  };
}
