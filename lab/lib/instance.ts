/** A lab instance: where it keeps things, and what it has decided once. */
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "./run";

export const ROOT = path.resolve(__dirname, "../..");

export interface Instance {
  readonly name: string;
  /** State, keys, disks, logs: `.lab/<name>` in the repository. */
  readonly stateDir: string;
  /** Unix sockets; short, since their paths may have 108 characters at most (unix(7)). */
  readonly runDir: string;
}

/** Secrets and keys of an instance, made at its first start. */
export interface Credentials {
  readonly privateKeyFile: string;
  readonly publicKey: string;
  readonly agentSecret: string;
  readonly proxmoxPassword: string;
  readonly proxmoxTokenSecret: string;
  readonly passphrase: string;
}

/**
 * The instance named by `DOCKER_NODE_LAB`, "default" unless told. Instances share nothing but the cache.
 * @throws Error when the name is not one of letters, digits and hyphens
 */
export function instance(name = process.env.DOCKER_NODE_LAB ?? "default"): Instance {
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

/** Removes every file of the instance. */
export function erase({ stateDir, runDir }: Instance): void {
  for (const dir of [stateDir, runDir]) fs.rmSync(dir, { recursive: true, force: true });
  const parent = path.dirname(stateDir);
  if (fs.existsSync(parent) && fs.readdirSync(parent).length === 0) fs.rmdirSync(parent);
}

/** The instance's credentials, made if it has none. */
export async function credentials({ stateDir }: Instance): Promise<Credentials> {
  const file = path.join(stateDir, "credentials.json");
  if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, "utf8")) as Credentials;
  const privateKeyFile = path.join(stateDir, "id_ed25519");
  fs.rmSync(privateKeyFile, { force: true });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", privateKeyFile]);
  const secret = (): string => randomBytes(16).toString("hex");
  const made: Credentials = {
    privateKeyFile,
    publicKey: fs.readFileSync(`${privateKeyFile}.pub`, "utf8").trim(),
    agentSecret: secret(),
    proxmoxPassword: secret(),
    proxmoxTokenSecret: uuidOf(secret()),
    passphrase: secret(),
  };
  fs.writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  return made;
}

/** Proxmox token secrets have the form of a UUID. */
function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
