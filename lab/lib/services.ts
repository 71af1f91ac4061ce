/** Everything that the lab runs for the program: image, mirror, registry, Proxmox node, pulumi. */
import * as path from "node:path";
import type { DockerRepository } from "../docker/repository";
import { publishDocker, publishedDocker } from "./docker";
import { forwardPorts, guestPorts, type ForwardsByVm } from "./forwards";
import { ensurePulumi, type PulumiHome } from "./pulumi";
import { ensureImage, type GuestImage } from "./image";
import { readCredentials, erase, prepare, type Credentials, type Instance } from "./instance";
import { publishImage, startMirror } from "./mirror";
import { startPbs, stopPbs, type PbsAccess } from "./pbs";
import { getPort } from "./ports";
import { ensurePrerequisites } from "./prerequisites";
import {
  ensurePython,
  proxmoxPrerequisites,
  startProxmox,
  stopProxmox,
  type ProxmoxSettings,
} from "./proxmox";
import { backupPrerequisites } from "../images/backup";
import { seedRegistry, startRegistry, type SeededImages } from "./registry";
import { stopService, type Log } from "./service";

/** Addresses inside the lab's network. All lie in one range, and nothing outside it is reachable. */
export const NETWORK = {
  cidr: "10.25.20.0/24",
  /** The machine the lab runs on: gateway, management workstation and port01. */
  host: "10.25.20.1",
  /** The guests' DNS server. Nothing answers there. */
  dns: "10.25.20.2",
  mirror: "10.25.20.3",
  registry: "10.25.20.5",
  /** pbs01, on the port of Proxmox Backup Server. */
  pbs: "10.25.20.6",
} as const;

/** Port on which guests and Proxmox VE expect the backup server. */
export const PBS_PORT = 8007;

/** Port on which guests expect the registry by TLS, if a test answers there. */
export const TLS_REGISTRY_PORT = 5443;

/** A VM's cores are the declared ones times this factor: 2 for 6, 3 for 8. */
const CPU_FACTOR = 1 / 3;

/** A VM's memory is the declared one times this factor: 2 GiB for 32. */
const MEMORY_FACTOR = 1 / 16;

/** The running services and their addresses. */
export interface Lab {
  readonly instance: Instance;
  readonly credentials: Credentials;
  readonly pulumi: PulumiHome;
  readonly image: GuestImage;
  readonly images: SeededImages;
  /** Docker's repository, which the mirror serves below `/docker/`. Undefined if no node installs from it. */
  readonly docker: DockerRepository | undefined;
  /** Proxmox API. */
  readonly endpoint: string;
  readonly apiToken: string;
  /** Where Proxmox downloads the guest image from. */
  readonly imageUrl: string;
  /** Loopback ports by VM id. */
  readonly forwards: ForwardsByVm;
  /** Loopback ports behind the registry's address: the registry itself, and one for a test that puts TLS before it. */
  readonly registryPorts: { readonly plain: number; readonly tls: number };
  /** The backup server; guests reach it on port `PBS_PORT`. */
  readonly pbs: PbsAccess;
}

const PREREQUISITES = [
  ...proxmoxPrerequisites,
  ...backupPrerequisites,
  { command: "ssh-keygen", package: "openssh-client" },
];

/** Builds what takes minutes on a new machine. The results stay in the cache. */
export async function buildLab(log: Log): Promise<Pick<Lab, "pulumi" | "image">> {
  await ensurePrerequisites(PREREQUISITES, log);
  // At the same time: compiling needs the processor, and installing packages needs the network.
  const [pulumi, image] = await Promise.all([
    ensurePulumi(log),
    ensureImage(log),
    ensurePython(log),
  ]);
  return { pulumi, image };
}

/** Starts everything, or finds it running. Long steps log what they do and how long it takes. */
export async function startLab(instance: Instance, log: Log): Promise<Lab> {
  prepare(instance);
  const { pulumi, image } = await buildLab(log);
  const docker = await publishDocker(instance, image, log);
  const keys = await readCredentials(instance);
  return {
    instance,
    credentials: keys,
    pulumi,
    image,
    docker,
    ...(await startServices(instance, keys, image, log)),
  };
}

type Services = Pick<
  Lab,
  "images" | "endpoint" | "apiToken" | "imageUrl" | "forwards" | "registryPorts" | "pbs"
>;

async function startServices(
  instance: Instance,
  keys: Credentials,
  image: GuestImage,
  log: Log,
): Promise<Services> {
  const { stateDir } = instance;
  const files = publishImage(stateDir, image);
  const served = { stateDir, files: files.directory, docker: publishedDocker(instance) };
  const mirror = await startMirror(served, log);
  const registry = await startRegistry({ stateDir }, log);
  const images = await seedRegistry(registry, log);
  const pbs = await startPbs({ stateDir, credentials: keys, address: NETWORK.pbs }, log);
  const forwards = await forwardPorts(instance);
  const tls = await getPort(stateDir, "registry-tls");
  const registryPorts = { plain: registry.port, tls };
  const ports = { mirror: mirror.port, registry: registryPorts, pbs: pbs.port };
  const port = await getPort(stateDir, "pve");
  const settings = { ...proxmoxSettings(instance, keys, ports, forwards), port };
  const backupClient = path.join(pbs.clientDir, "proxmox-backup-client");
  const node = await startProxmox({ ...settings, backupClient }, log);
  const imageUrl = `http://127.0.0.1:${mirror.port}/files/${files.name}`;
  const { endpoint, apiToken } = node;
  return { images, endpoint, apiToken, imageUrl, forwards, registryPorts, pbs };
}

/** Stops everything. Nothing of the instance runs afterwards; its files stay. */
export async function stopLab({ stateDir }: Instance): Promise<void> {
  await stopService(stateDir, "docker-socket");
  await stopProxmox(stateDir);
  await stopPbs(stateDir);
  await stopService(stateDir, "registry");
  await stopService(stateDir, "mirror");
}

/** Stops everything and erases all files of the instance. */
export async function removeLab(instance: Instance): Promise<void> {
  await stopLab(instance);
  erase(instance);
}

function proxmoxSettings(
  { stateDir, runDir }: Instance,
  keys: Credentials,
  ports: ServicePorts,
  forwards: ForwardsByVm,
): ProxmoxSettings {
  return {
    stateDir,
    runDir,
    peers: ["pve02"],
    host: "127.0.0.1",
    user: "root@pam",
    password: keys.proxmoxPassword,
    token: { id: "automation@pve!pulumi", secret: keys.proxmoxTokenSecret },
    cpuFactor: CPU_FACTOR,
    memoryFactor: MEMORY_FACTOR,
    network: guestNetwork(ports, forwards),
  };
}

interface ServicePorts {
  mirror: number;
  registry: Lab["registryPorts"];
  pbs: number;
}

function guestNetwork(ports: ServicePorts, forwards: ForwardsByVm): ProxmoxSettings["network"] {
  const { cidr, host, dns } = NETWORK;
  const services = [
    { address: NETWORK.mirror, port: 80, target: `127.0.0.1:${ports.mirror}` },
    { address: NETWORK.registry, port: 5000, target: `127.0.0.1:${ports.registry.plain}` },
    {
      address: NETWORK.registry,
      port: TLS_REGISTRY_PORT,
      target: `127.0.0.1:${ports.registry.tls}`,
    },
    { address: NETWORK.pbs, port: PBS_PORT, target: `127.0.0.1:${ports.pbs}` },
  ];
  return { cidr, host, dns, services, forwards: guestPorts(forwards) };
}
