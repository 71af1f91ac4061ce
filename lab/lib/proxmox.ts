/**
 * The lab's Proxmox VE node (`lab/pve/`): a Python program that runs QEMU. Its licence is the AGPL, so it always runs as
 * a process of its own.
 */
import * as fs from "node:fs";
import * as path from "node:path";

import { messageOf } from "../../clients/failure";
import { buildOnce, cacheDir, contentHash } from "./cache";
import { run } from "./run";
import { runningService, startService, stopService, type Log } from "./service";

const PACKAGE = path.resolve(__dirname, "..", "pve");
const REQUIREMENTS = path.join(PACKAGE, "requirements.txt");
const NAME = "pve";
/** Powering every guest off takes the node a few seconds. */
const STOP_GRACE_MS = 20_000;

/** A service of the lab as guests see it, and the loopback `host:port` each connection is piped to. */
export interface LabServiceAddress {
  address: string;
  port: number;
  target: string;
}

/** A loopback port of this machine that leads to a port of a guest. */
export interface PortForward {
  guestPort: number;
  hostPort: number;
}

/**
 * The guests' network. NICs on the same bridge and VLAN reach each other, as far as their firewalls let them. It connects
 * only QEMU processes, and no packet leaves it.
 */
export interface ProxmoxNetwork {
  cidr: string;
  /** The gateway's address; nothing answers there. */
  host: string;
  dns?: string;
  services?: LabServiceAddress[];
  /** By VM id; the guest's address is the one in its cloud-init configuration. */
  forwards?: Record<string, PortForward[]>;
}

/** The settings file of `python -m labpve`. */
export interface ProxmoxSettings {
  stateDir: string;
  /** For UNIX sockets, whose paths must be short. */
  runDir: string;
  node?: string;
  /** Other nodes of the cluster, for a guest to be moved to. */
  peers?: string[];
  host?: string;
  /** 0 or absent: any free port. */
  port?: number;
  user?: string;
  password: string;
  /** `privileges` absent: all of them. */
  token: { id: string; secret: string; privileges?: string[] };
  /** Share of a VM's declared cores a guest gets, but never less than two of them. */
  cpuFactor?: number;
  /** Share of the declared memory a guest gets, but never less than `memoryFloor` MiB (512). */
  memoryFactor?: number;
  memoryFloor?: number;
  /** Real seconds for each second of a simulated task. */
  timeScale?: number;
  /** `auto`: KVM when QEMU can really use it. */
  accelerator?: "auto" | "kvm" | "tcg";
  /** The program backups are made with: a path, or a name on PATH; `proxmox-backup-client` by default. */
  backupClient?: string;
  network: ProxmoxNetwork;
}

export interface ProxmoxNode {
  endpoint: string;
  pid: number;
  /** `id=secret`, as the provider takes it. */
  apiToken: string;
  /** PEM file the endpoint can be verified with. */
  certificate: string;
  fingerprint: string;
  accelerator: "kvm" | "tcg";
  stop(): Promise<void>;
}

/** Programs the node runs, and the Debian packages they come from. */
export const proxmoxPrerequisites: { command: string; package: string }[] = [
  { command: "python3", package: "python3-venv" },
  { command: "qemu-system-x86_64", package: "qemu-system-x86" },
  { command: "qemu-img", package: "qemu-utils" },
  { command: "genisoimage", package: "genisoimage" },
];

type Ready = Omit<ProxmoxNode, "apiToken" | "stop">;

const detailOf = (error: unknown): string => messageOf(error).split("\n").slice(-3).join("\n");

/** Makes the virtual environment. If python3 or its module venv is missing, the error says how to install it. */
async function makeEnvironment(directory: string): Promise<void> {
  try {
    await run("python3", ["-m", "venv", directory]);
  } catch (error) {
    throw new Error(
      `The lab's Proxmox node needs Python 3.10 or newer with venv: ` +
        `apt-get install -y python3 python3-venv\n${detailOf(error)}`,
      { cause: error },
    );
  }
}

/** Installs the pinned packages, by the registry pip is configured for. */
async function installPackages(directory: string): Promise<void> {
  const python = path.join(directory, "bin", "python");
  const options = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--require-hashes",
  ];
  try {
    await run(python, [...options, "--only-binary", ":all:", "-r", REQUIREMENTS]);
  } catch (error) {
    throw new Error(`The packages of ${REQUIREMENTS} cannot be installed:\n${detailOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * The Python interpreter with the packages the node needs: a virtual environment in the cache, made
 * once for each version of requirements.txt. It is used through `bin/python`, so it may be moved.
 */
export async function ensurePython(log: Log): Promise<string> {
  const directory = cacheDir("python", contentHash([REQUIREMENTS]));
  await buildOnce(directory, async (into) => {
    log("proxmox: installing fakepve and what it needs");
    await makeEnvironment(into);
    await installPackages(into);
  });
  return path.join(directory, "bin", "python");
}

const readyFile = (stateDir: string): string => path.join(stateDir, "pve.json");

/** Reads what the node wrote when it became ready. Undefined before that. */
function readReady(stateDir: string): Ready | undefined {
  try {
    return JSON.parse(fs.readFileSync(readyFile(stateDir), "utf8")) as Ready;
  } catch {
    return undefined;
  }
}

/** Writes the settings where only this user can read them: they hold secrets. */
function writeSettings(settings: ProxmoxSettings): string {
  fs.mkdirSync(settings.stateDir, { recursive: true, mode: 0o700 });
  const file = path.join(settings.stateDir, "pve-settings.json");
  fs.writeFileSync(`${file}.new`, `${JSON.stringify(settings, null, 1)}\n`, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
  return file;
}

/**
 * Starts the node, or finds it running, and waits until it answers. It keeps running after this process ends. Its output is
 * in `<stateDir>/pve.log`. VMs that it had before exist again, stopped.
 */
export async function startProxmox(settings: ProxmoxSettings, log: Log): Promise<ProxmoxNode> {
  const python = await ensurePython(log);
  const { stateDir } = settings;
  // A killed node leaves its file behind.
  if (!runningService(stateDir, NAME)) fs.rmSync(readyFile(stateDir), { force: true });
  const service = await startService(
    {
      name: NAME,
      command: python,
      args: ["-m", "labpve", writeSettings(settings)],
      env: { PYTHONPATH: PACKAGE, PYTHONDONTWRITEBYTECODE: "1" },
      stateDir,
      port: settings.port,
      ready: () => Promise.resolve(readReady(stateDir) !== undefined),
    },
    log,
  );
  const ready = readReady(stateDir);
  if (!ready || ready.pid !== service.pid) {
    throw new Error(`${readyFile(stateDir)} is not of process ${service.pid}`);
  }
  const apiToken = `${settings.token.id}=${settings.token.secret}`;
  return { ...ready, apiToken, stop: () => stopProxmox(stateDir) };
}

/** Stops the node of a state directory, which powers its guests off; nothing if it does not run. */
export async function stopProxmox(stateDir: string): Promise<void> {
  await stopService(stateDir, NAME, STOP_GRACE_MS);
  fs.rmSync(readyFile(stateDir), { force: true });
}
