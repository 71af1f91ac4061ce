/** The backups of a node in Proxmox Backup Server, read by the official client on the workstation. */
import { readFileSync } from "node:fs";
import { run, type Command } from "./process";
import { readOwners, type Owners } from "./pxar";
import { readPruneJobs, type PruneJob } from "./prune-jobs";
import { parseSnapshots, pathOf, type Snapshot } from "./snapshots";

/** Namespaces of a node, one a kind: prune jobs apply to a namespace. */
export const SECTIONS = ["volumes", "configuration", "images"] as const;
/** A kind of backups. */
export type Section = (typeof SECTIONS)[number];

/** What recoveries and the coverage map read from the backups. */
export interface Repository {
  /** Every snapshot of a section, the newest first, those that are no backups too; none where nothing was ever backed up. */
  snapshots(section: Section): Promise<Snapshot[]>;
  /** A small archive's content, such as `meta.conf`. */
  read(section: Section, snapshot: Snapshot, archive: string): Promise<string>;
  /** The program that writes an archive to its standard output. */
  stream(section: Section, snapshot: Snapshot, archive: string): Command;
  /** Extracts an archive into a new directory on the workstation, without its owners. */
  extract(section: Section, snapshot: Snapshot, archive: string, directory: string): Promise<void>;
  /** Owners and modes of what is in an archive of files. */
  owners(section: Section, snapshot: Snapshot, archive: string): Promise<Owners>;
  /** A command as a person would type it. */
  shown(section: Section, snapshot: Snapshot, archive: string, target: string): string;
  /** The server's prune jobs, as far as the token may see them. */
  pruneJobs(): Promise<readonly PruneJob[]>;
}

/** Where the server is, and the credentials to read it. */
export interface Access {
  readonly host: string;
  readonly port: number;
  readonly datastore: string;
  /** SHA-256 of the server's certificate; nothing else is trusted. */
  readonly fingerprint: string;
  readonly tokenId: string;
  readonly token: string;
  readonly keyfile: string;
  /** The client; default: the one on the PATH. */
  readonly client?: string;
}

/** The restore token and key, which no node has. */
export type Credentials = Pick<Access, "tokenId" | "token" | "keyfile" | "client">;

/**
 * Reads the restore credentials from the environment: `PBS_RESTORE_TOKEN_ID`, `PBS_RESTORE_TOKEN` or
 * `PBS_RESTORE_TOKEN_FILE`, `PBS_RESTORE_KEYFILE`, and optionally `PBS_CLIENT`.
 * @throws Error naming every variable that is missing
 */
export function readPbsCredentials(environment: NodeJS.ProcessEnv): Credentials {
  const { PBS_RESTORE_TOKEN_ID: tokenId, PBS_RESTORE_KEYFILE: keyfile } = environment;
  const { PBS_RESTORE_TOKEN: value, PBS_RESTORE_TOKEN_FILE: file } = environment;
  const missing = [
    ...(tokenId ? [] : ["PBS_RESTORE_TOKEN_ID: user@realm!token of the restore token"]),
    ...((value ?? file) ? [] : ["PBS_RESTORE_TOKEN or PBS_RESTORE_TOKEN_FILE: its secret"]),
    ...(keyfile ? [] : ["PBS_RESTORE_KEYFILE: file with the encryption key"]),
  ];
  if (!tokenId || !keyfile || missing.length > 0)
    throw new Error(
      ["missing in the environment, see docs/how-to/restore.md:", ...missing].join("\n  "),
    );
  const token = value ?? readFileSync(file ?? "", "utf8").trim();
  return { tokenId, token, keyfile, client: environment["PBS_CLIENT"] };
}

/** The repository of one node. */
export function connect(access: Access, node: string): Repository {
  const toCommand = (...args: string[]): Command => ({
    program: access.client ?? "proxmox-backup-client",
    args,
    env: environmentOf(access),
    hint: "https://pbs.proxmox.com/docs/installation.html#client-installation",
  });
  const restore: Arguments = (section, snapshot, archive, target) => [
    ...["restore", pathOf(snapshot), archive, target],
    ...["--ns", `${node}/${section}`, "--keyfile", access.keyfile],
  ];
  return {
    snapshots: async (section) => {
      const options = ["--output-format", "json", "--ns", `${node}/${section}`];
      return parseSnapshots(await run(toCommand("snapshot", "list", ...options)).catch(allowNone));
    },
    read: (...what) => run(toCommand(...restore(...what, "-"))),
    stream: (...what) => toCommand(...restore(...what, "-")),
    extract: (...what) =>
      run(toCommand(...restore(...what), "--ignore-ownership")).then(() => undefined),
    owners: (...what) => readOwners(toCommand(...restore(...what, "-"))),
    shown: (...what) => `proxmox-backup-client ${restore(...what).join(" ")}`,
    pruneJobs: () => readPruneJobs(access),
  };
}

type Arguments = (section: Section, at: Snapshot, archive: string, target: string) => string[];

/**
 * The client takes secrets from its environment, so none is in the process list. It takes any certificate
 * that OpenSSL finds valid, whatever its fingerprint; without certificate authorities only the fingerprint counts.
 */
function environmentOf({ tokenId, token, host, port, datastore, fingerprint }: Access) {
  return {
    PBS_REPOSITORY: `${tokenId}@${host}:${port}:${datastore}`,
    PBS_PASSWORD: token,
    PBS_FINGERPRINT: fingerprint,
    SSL_CERT_FILE: "/dev/null",
    SSL_CERT_DIR: "/dev/null",
  };
}

/**
 * A namespace that does not exist counts as empty. The server says so of a directory that it cannot list (pbs-datastore,
 * hierarchy.rs); a key or token file that is missing here is named in its message.
 */
function allowNone(error: Error): string {
  if (
    /(^|: )Error: (ENOENT: No such file or directory|.*namespace.*(not found|does not exist).*)$/m.test(
      error.message,
    )
  )
    return "[]";
  throw error;
}
