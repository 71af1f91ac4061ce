/** A lab instance: its directories, credentials and settings. */
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { PBS_NODES } from "./pbs-settings";
import { run } from "./run";

export const ROOT = path.resolve(__dirname, "../..");

export interface Instance {
  readonly name: string;
  /** State, keys, disks, logs: `.lab/<name>` in the repository. */
  readonly stateDir: string;
  /** Unix sockets; short, since their paths may have 108 characters at most (unix(7)). */
  readonly runDir: string;
}

/** Secrets and keys of an instance, created at its first start. */
export interface Credentials {
  readonly privateKeyFile: string;
  readonly publicKey: string;
  readonly agentSecret: string;
  readonly proxmoxPassword: string;
  readonly proxmoxTokenSecret: string;
  readonly passphrase: string;
  /** Of the backup server: by node, of the workstation, of Proxmox VE, of its administrator. */
  readonly pbs: {
    readonly backupSecrets: Readonly<Record<string, string>>;
    readonly restoreSecret: string;
    readonly storageSecret: string;
    readonly adminPassword: string;
  };
  /** Content of the keyfile backups are encrypted with. */
  readonly backupKey: string;
}

/**
 * Returns the instance that `DOCKER_NODE_LAB` names; default: "default". Instances share only the cache.
 * @throws Error if the name has characters other than letters, digits and hyphens
 */
export function openInstance(name = process.env.DOCKER_NODE_LAB ?? "default"): Instance {
  if (!/^[a-z0-9-]{1,32}$/.test(name)) {
    throw new Error(
      `DOCKER_NODE_LAB: "${name}"; allowed: lower-case letters, digits and hyphens, 32 at most`,
    );
  }
  const stateDir = path.join(ROOT, ".lab", name);
  const short = createHash("sha256").update(stateDir).digest("hex").slice(0, 8);
  return { name, stateDir, runDir: path.join(os.tmpdir(), `docker-node-${short}`) };
}

/** Makes the instance's directories, for its owner alone. */
export function prepare({ stateDir, runDir }: Instance): void {
  for (const dir of [stateDir, runDir]) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
}

/** Configuration of an instance's stack on top of Pulumi.lab.yaml, for as long as the instance lives. */
export function declare({ stateDir }: Instance, override: Record<string, unknown>): void {
  fs.writeFileSync(path.join(stateDir, "override.json"), JSON.stringify(override));
}

/** Returns the configuration that `declare` stored; empty by default. */
export function readDeclared({ stateDir }: Instance): Record<string, unknown> {
  const file = path.join(stateDir, "override.json");
  if (!fs.existsSync(file)) return {};
  return JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
}

/** Removes every file of the instance. */
export function erase({ stateDir, runDir }: Instance): void {
  for (const dir of [stateDir, runDir]) fs.rmSync(dir, { recursive: true, force: true });
  const parent = path.dirname(stateDir);
  if (fs.existsSync(parent) && fs.readdirSync(parent).length === 0) fs.rmdirSync(parent);
}

/** Returns the instance's credentials. Missing ones are created, also in an instance of an older lab. */
export async function readCredentials({ stateDir }: Instance): Promise<Credentials> {
  const file = path.join(stateDir, "credentials.json");
  const kept = fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, "utf8")) as Partial<Credentials>)
    : await makeCredentials(stateDir);
  // The path is not believed: the file may be of another instance, see saved.ts.
  const privateKeyFile = keyFile(stateDir);
  const whole = { ...backupCredentials(), ...kept, privateKeyFile } as Credentials;
  if (whole.backupKey !== kept.backupKey || whole.pbs !== kept.pbs) {
    fs.writeFileSync(`${file}.new`, JSON.stringify(whole), { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  }
  return whole;
}

const newSecret = (): string => randomBytes(16).toString("hex");

const keyFile = (stateDir: string): string => path.join(stateDir, "id_ed25519");

async function makeCredentials(stateDir: string): Promise<Partial<Credentials>> {
  const privateKeyFile = keyFile(stateDir);
  fs.rmSync(privateKeyFile, { force: true });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", privateKeyFile]);
  return {
    publicKey: fs.readFileSync(`${privateKeyFile}.pub`, "utf8").trim(),
    agentSecret: newSecret(),
    proxmoxPassword: newSecret(),
    proxmoxTokenSecret: uuidOf(newSecret()),
    passphrase: newSecret(),
  };
}

function backupCredentials(): Pick<Credentials, "pbs" | "backupKey"> {
  const secrets = PBS_NODES.map((node) => [node, uuidOf(newSecret())] as const);
  return {
    pbs: {
      backupSecrets: Object.fromEntries(secrets),
      restoreSecret: uuidOf(newSecret()),
      storageSecret: uuidOf(newSecret()),
      adminPassword: newSecret(),
    },
    backupKey: newKeyFile(),
  };
}

/** A keyfile as `proxmox-backup-client key create --kdf none` makes it. */
export function newKeyFile(): string {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const data = randomBytes(32).toString("base64");
  return JSON.stringify({ kdf: null, created: now, modified: now, data });
}

/** Proxmox token secrets have the form of a UUID. */
function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
