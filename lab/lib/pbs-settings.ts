/** What the lab's backup server holds, and who may use it. */
import * as path from "node:path";
import type { Credentials } from "./instance";

/** Nodes that have namespaces and a token in the lab. */
export const PBS_NODES = ["proj-docker01", "proj-docker02"] as const;

/** Kinds of backups. Each has its own namespace, because a prune job applies to a namespace. */
const PBS_KINDS = ["volumes", "configuration", "images"] as const;

/** Datastores: `docker` for the nodes' backups, `pbs01` for VM backups from Proxmox VE. */
const PBS_STORES = ["docker", "pbs01"] as const;

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

/** Who may use the lab's server, and for what. */
export interface PbsLogins {
  /** By node: may make backups below the node's namespace, and read its own. */
  readonly backupTokens: Readonly<Record<string, PbsLogin>>;
  /** May read everything in `docker`. */
  readonly restoreToken: PbsLogin;
  /** Token with which Proxmox VE uses `pbs01`. It may also prune there. */
  readonly storageToken: PbsLogin;
  /** May do everything; for tests. */
  readonly admin: PbsLogin;
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
