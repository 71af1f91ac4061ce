import { z } from "zod";
import { backupStorageSchema, backupsSchema } from "./backups";
import { isCidr } from "./cidr";
import { DEFAULT_DAEMON, daemonSchema } from "./daemon";
import { address, identifier, pinnedImage, port } from "./fields";
import { hostName, httpUrl, keyFile, oneLine } from "./text";

/*
 * The shape of the configuration. Every object is strict: a misspelt key is an error, never ignored.
 * What one field cannot say about itself (overlaps, membership, versions) is in checks.ts.
 */

const cidr = z
  .string()
  .refine(isCidr, { error: "an IPv4 address with prefix length, such as 10.25.20.24/24" });
const hostLabel = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
  error:
    "a host name: lower-case letters, digits and inner hyphens, 63 characters at most (RFC 1123)",
});
/** Names Docker gives to networks, volumes and containers (moby daemon/names/names.go). */
export const dockerName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/, {
  error: "a Docker name: letters, digits, and after the first character also _ . -",
});
const publicKey = z
  .string()
  .regex(/^(ssh-ed25519|ecdsa-sha2-nistp\d{3}|ssh-rsa|sk-[\w@.-]+) [A-Za-z0-9+/=]+( [^\n]*)?$/, {
    error: "an OpenSSH public key on one line, such as `ssh-ed25519 AAAA… name`",
  });
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "a SHA-256 checksum: 64 lower-case hex digits" });

const cloudImage = z.strictObject({
  url: httpUrl().describe("Where Proxmox downloads the image from."),
  sha256,
  datastore: identifier
    .default("local")
    .describe("Datastore with content type `import` that keeps the download."),
  fileName: z
    .string()
    .regex(/^\w[\w.-]*\.(qcow2|raw|vmdk)$/, {
      error: "a file name ending in .qcow2, .raw or .vmdk",
    })
    .describe(
      "File name on the datastore. Must end in .qcow2, .raw or .vmdk for content type `import`.",
    ),
});

const template = z.strictObject({
  template: z.int().min(100).max(999_999_999).describe("VM id of the template."),
  node: identifier
    .optional()
    .describe("Proxmox node the template lives on. Default: the node's own."),
});

const disk = z.strictObject({
  sizeGiB: z.int().min(4).max(65536).describe("GiB, as Proxmox counts them."),
  datastore: identifier,
});

const firewallRule = z.strictObject({
  comment: oneLine.max(200).optional().describe("Shown in Proxmox."),
  source: z
    .union([cidr, address])
    .optional()
    .describe("Address or network traffic comes from. Default: anywhere."),
  proto: z.enum(["tcp", "udp", "icmp"]).default("tcp"),
  port: z
    .string()
    .regex(/^\d{1,5}(:\d{1,5})?$/, { error: 'a port or range, such as "443" or "8000:8010"' })
    .optional()
    .describe('Port or port range, such as "443" or "8000:8010". Not for icmp.'),
});

const startup = z.strictObject({
  order: z.int().min(0).max(9999),
  upDelaySeconds: z.int().min(0).max(3600),
  downDelaySeconds: z.int().min(0).max(3600),
});

/** After what it may need, before nothing in particular. */
export const DEFAULT_STARTUP = { order: 20, upDelaySeconds: 30, downDelaySeconds: 120 };

const machine = z.strictObject({
  vmId: z.int().min(100).max(999_999_999),
  proxmoxNode: identifier.describe("Proxmox node that runs the VM."),
  // Proxmox strips the white space around it.
  description: z.string().trim().max(8192).default(""),
  tags: z
    .array(z.string().regex(/^[a-z0-9_][a-z0-9_+.-]*$/))
    .refine((tags) => new Set(tags).size === tags.length, { error: "each tag once" })
    .default([]),
  cpu: z.strictObject({
    cores: z.int().min(1).max(128),
    type: z
      .string()
      .regex(/^\w[\w.+-]*$/, { error: "a QEMU CPU model, such as host or x86-64-v3" })
      .default("x86-64-v2-AES")
      .describe(
        "QEMU CPU model. The default runs on every x86-64 server since 2013 and permits live migration.",
      ),
  }),
  memoryGiB: z.number().min(0.5).max(4096).multipleOf(0.25),
  disk,
  dockerDisk: disk
    .optional()
    .describe("Its own disk for /var/lib/docker, formatted XFS and mounted with project quota."),
  image: z
    .union([cloudImage, template])
    .optional()
    .describe("What the VM is made from. Only with `adopt` may it be left out."),
  onBoot: z.boolean().default(true),
  startup: startup.default(DEFAULT_STARTUP),
  agentTimeoutSeconds: z
    .int()
    .min(1)
    .max(900)
    .default(10)
    .describe("Seconds the provider waits for the guest agent before it goes on without."),
  rebootAfterUpdate: z
    .boolean()
    .default(true)
    .describe("Let the provider reboot the VM when a change (CPU, memory) needs it."),
  protect: z.boolean().default(true).describe("Refuse deletion, in Pulumi and in Proxmox."),
  adopt: z
    .boolean()
    .default(false)
    .describe(
      "Adopt the VM that already exists under this id instead of creating one, and leave hardware this configuration has no word for as it is.",
    ),
});

const network = z.strictObject({
  bridge: identifier.default("vmbr0"),
  vlan: z.int().min(1).max(4094),
  address: cidr,
  gateway: address,
  dnsServers: z.array(address).min(1).max(3),
  searchDomain: hostName.optional(),
  firewall: z
    .strictObject({
      enabled: z.boolean().default(true),
      managementNetworks: z.array(cidr).min(1).describe("Networks SSH is accepted from."),
      rules: z.array(firewallRule).default([]).describe("Ports beside SSH and the agent's."),
    })
    .optional(),
});

const ssh = z.strictObject({
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .default("ubuntu"),
  publicKeys: z.array(publicKey).min(1).describe("Put into authorized_keys by cloud-init."),
  privateKeyFile: keyFile.describe(
    "File with the private key on the workstation; `~` is the home directory.",
  ),
  endpoint: z
    .strictObject({ host: hostName, port })
    .optional()
    .describe(
      "Reach the node by another address, as through a forwarded port. Default: its own, port 22.",
    ),
  hostKey: publicKey
    .optional()
    .describe(
      "The node's host key when it is known beforehand. Default: learned at the first connection, then pinned.",
    ),
});

const engine = z.strictObject({
  source: z
    .enum(["official", "distribution"])
    .default("official")
    .describe("`official`: Docker's apt repository. `distribution`: the docker.io package."),
  version: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){0,2}$/, {
      error: 'a release such as "29.10.0", or its beginning such as "29.10"',
    })
    .describe('Release, or its leading numbers: "29.10.0", "29.10". Packages are held at it.'),
  mirror: httpUrl().optional().describe("Base URL of a mirror of Docker's repository."),
  distributionMirror: httpUrl()
    .optional()
    .describe("Base URL of a mirror of the distribution's archive."),
  groupMembers: z
    .array(z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/))
    .default([])
    .describe(
      "Members of the group docker beside the ssh user. Root-equivalent (CIS Docker 1.1.2).",
    ),
  healthTimeoutSeconds: z
    .int()
    .min(5)
    .max(900)
    .default(120)
    .describe("Seconds the daemon has to answer after a change before the change is rolled back."),
  confirm: z
    .literal("hide-existing")
    .optional()
    .describe("Go through with a change that hides existing images, containers or volumes."),
  daemon: daemonSchema.default(DEFAULT_DAEMON),
});

const portainer = z.strictObject({
  server: address.describe("Address of the Portainer server; only it may reach the agent."),
  agent: z.strictObject({
    image: pinnedImage,
    port: port.default(9001),
    logLevel: z.enum(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"),
  }),
});

const bridgeNetwork = z.strictObject({
  driver: z.literal("bridge").default("bridge"),
  subnet: cidr,
  gateway: address.optional(),
  isolated: z
    .boolean()
    .default(false)
    .describe("Containers of the network cannot reach one another (`enable_icc=false`)."),
  internal: z.boolean().default(false).describe("No route out of the host."),
});

const macvlanNetwork = z.strictObject({
  driver: z.literal("macvlan"),
  parent: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,14}$/)
    .describe("NIC of the node the network hangs on."),
  vlan: z
    .int()
    .min(1)
    .max(4094)
    .optional()
    .describe("VLAN tag; Docker makes the sub-interface `parent.vlan`."),
  subnet: cidr,
  gateway: address,
  range: cidr
    .optional()
    .describe("Docker hands out addresses from this range only. Default: the whole subnet."),
  excluded: z
    .record(dockerName, address)
    .default({})
    .describe("Addresses Docker must not hand out, by name (`--aux-address`)."),
});

const containerNetwork = z.discriminatedUnion("driver", [bridgeNetwork, macvlanNetwork]);

/** `driver` may be left out for a bridge; a discriminated union needs it spelt. */
const namedNetwork = z.preprocess(
  (value) => (typeof value === "object" && value !== null ? { driver: "bridge", ...value } : value),
  containerNetwork,
);

const volume = z.strictObject({ labels: z.record(z.string(), z.string()).default({}) });

const dockerId = z.string().regex(/^[0-9a-f]{64}$/, {
  error: "a full Docker id, 64 hex digits: `docker inspect --format '{{.Id}}' NAME`",
});

const adopted = z.strictObject({
  networks: z
    .record(dockerName, dockerId)
    .default({})
    .describe("Ids of Docker networks that exist already, by name."),
  volumes: z.array(dockerName).default([]).describe("Volumes that exist already."),
  agent: dockerId
    .optional()
    .describe(
      "Id of the `portainer_agent` that runs already. It is kept as it was started; without this key the declared one takes its place.",
    ),
});

const primary = z.union([
  hostLabel,
  z.strictObject({
    address: address.describe("Address of the primary, when it is not in this stack."),
    port: port.default(22).describe("Port that has to accept a connection from this node."),
  }),
]);

/** One node, defaults applied. */
export const nodeSchema = z.strictObject({
  machine,
  network,
  ssh,
  engine,
  portainer: portainer.optional(),
  networks: z.record(dockerName, namedNetwork).default({}),
  volumes: z.record(dockerName, volume).default({}),
  backups: backupsSchema.optional(),
  adopt: adopted
    .default({ networks: {}, volumes: [] })
    .describe("What exists already and is taken over as it is; `npm run import` writes it."),
  primary: primary
    .optional()
    .describe("The primary node, by its name in this stack or its address; asked from this node."),
});

/** How the program reaches Proxmox VE. */
export const proxmoxSchema = z.strictObject({
  endpoint: httpUrl("https"),
  insecure: z
    .boolean()
    .default(false)
    .describe("Accept a certificate that does not verify. For a self-signed lab only."),
  backupStorage: backupStorageSchema.optional(),
});

/** Name of a node: also the VM's and the host's name. */
export const nodeName = hostLabel;

export type NodeConfig = z.infer<typeof nodeSchema>;
export type ProxmoxConfig = z.infer<typeof proxmoxSchema>;
export type MachineConfig = NodeConfig["machine"];
export type NetworkConfig = NodeConfig["networks"][string];
export type BackupsConfig = NonNullable<NodeConfig["backups"]>;
export type BackupStorageConfig = NonNullable<ProxmoxConfig["backupStorage"]>;
export type PortainerConfig = NonNullable<NodeConfig["portainer"]>;
