/** What `inspect.sh` says of a node, decoded. */
import { z } from "zod";
import { parseJson } from "../../clients/answer";

const texts = z.record(z.string(), z.string()).nullable();

const network = z.object({
  Name: z.string(),
  Id: z.string(),
  Driver: z.string(),
  Scope: z.string(),
  EnableIPv6: z.boolean(),
  Internal: z.boolean(),
  IPAM: z.object({
    Driver: z.string(),
    Config: z
      .array(
        z.object({
          Subnet: z.string(),
          Gateway: z.string().optional(),
          IPRange: z.string().optional(),
          AuxiliaryAddresses: texts.optional(),
        }),
      )
      .nullable(),
  }),
  Options: texts,
});

const volume = z.object({ Name: z.string(), Driver: z.string(), Labels: texts, Options: texts });

const binding = z.object({ HostIp: z.string(), HostPort: z.string() });

const container = z.object({
  id: z.string(),
  name: z.string(),
  /** The image as it was given to `docker run`. */
  image: z.string(),
  imageId: z.string(),
  running: z.boolean(),
  restart: z.string(),
  userns: z.string(),
  ports: z.record(z.string(), z.array(binding).nullable()).nullable(),
  binds: z.array(z.string()).nullable(),
  /** Names of environment variables; their values stay on the node. */
  environment: z.array(z.string()),
});

const image = z.object({ id: z.string(), digests: z.array(z.string()).nullable() });

const info = z.object({
  driver: z.string(),
  root: z.string(),
  liveRestore: z.boolean(),
  swarm: z.string(),
});

/** A block device, with what is on it. */
const device = z.object({
  name: z.string(),
  type: z.string(),
  fstype: z.string().nullable(),
  mountpoints: z.array(z.string().nullable()),
  /** On Proxmox the slot: `drive-scsi1`. */
  serial: z.string().nullable(),
});

const filesystem = z.object({ source: z.string(), fstype: z.string(), options: z.string() });

const link = z.object({
  address: z.string(),
  addr_info: z.array(z.object({ family: z.string(), local: z.string(), prefixlen: z.number() })),
});

export type Network = Readonly<z.output<typeof network>>;
export type Volume = Readonly<z.output<typeof volume>>;
export type Container = Readonly<z.output<typeof container>>;
export type Device = Readonly<z.output<typeof device>>;

export interface Facts {
  readonly hostname: string;
  readonly hostKey: string;
  /** Such as "status: done"; empty without cloud-init. */
  readonly cloudInit: string;
  readonly authorizedKeys: readonly string[];
  readonly dockerGroup: readonly string[];
  /** Versions of installed packages by name. */
  readonly packages: Readonly<Record<string, string>>;
  readonly holds: readonly string[];
  /** Undefined without a file. */
  readonly daemonJson: string | undefined;
  /** Properties of docker.service. */
  readonly unit: Readonly<Record<string, string>>;
  /** Undefined when no daemon answers. */
  readonly info: z.output<typeof info> | undefined;
  readonly networks: readonly Network[];
  readonly volumes: readonly Volume[];
  readonly containers: readonly Container[];
  readonly images: readonly z.output<typeof image>[];
  /** The filesystem under /var/lib/docker. */
  readonly mount: z.output<typeof filesystem> | undefined;
  readonly disks: readonly Device[];
  /** Addresses by MAC, in lower case: `10.25.20.23/24`. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly gateway: string | undefined;
  readonly nameservers: readonly string[];
}

/**
 * Decodes the lines of `inspect.sh`.
 * @throws Error when lines are missing, because the script did not reach its end
 */
export function parseFacts(output: string): Facts {
  const pairs = linesOf(output).map((line) => line.split(" ", 2) as [string, string?]);
  const facts = new Map(
    pairs.map(([name, text = ""]) => [name, Buffer.from(text, "base64").toString("utf8").trim()]),
  );
  if (!facts.has("end")) throw new Error(`the node's answer is incomplete:\n${output.slice(-300)}`);
  const textOf: Text = (name) => facts.get(name) ?? "";
  return { ...dockerFacts(textOf), ...machineFacts(textOf) };
}

type Text = (name: string) => string;
type DaemonFacts = "packages" | "holds" | "daemonJson" | "unit" | "info" | "dockerGroup";
type DockerFacts = "networks" | "volumes" | "containers" | "images";

function dockerFacts(text: Text): Pick<Facts, DaemonFacts | DockerFacts> {
  const members = text("dockerGroup").split(":")[3] ?? "";
  return {
    packages: packagesOf(text("packages")),
    holds: linesOf(text("holds")),
    daemonJson: text("daemonJson") || undefined,
    unit: Object.fromEntries(linesOf(text("unit")).map((line) => split(line, "="))),
    info: read(info, text, "info"),
    dockerGroup: members.split(",").filter((name) => name !== ""),
    networks: readEach(network, text, "networks"),
    volumes: readEach(volume, text, "volumes"),
    containers: readEach(container, text, "containers"),
    images: readEach(image, text, "images"),
  };
}

function machineFacts(text: Text): Omit<Facts, DaemonFacts | DockerFacts> {
  const mount = read(z.object({ filesystems: z.array(filesystem) }), text, "mount");
  const disks = read(z.object({ blockdevices: z.array(device) }), text, "disks");
  const links = read(z.array(link), text, "addresses") ?? [];
  const routes = read(z.array(z.object({ gateway: z.string().optional() })), text, "routes") ?? [];
  return {
    hostname: text("hostname"),
    hostKey: text("hostKey"),
    cloudInit: text("cloudInit"),
    authorizedKeys: linesOf(text("keys")),
    mount: mount?.filesystems[0],
    disks: disks?.blockdevices ?? [],
    addresses: addressesOf(links),
    gateway: routes.find(({ gateway }) => gateway)?.gateway,
    nameservers: linesOf(text("nameservers")),
  };
}

function addressesOf(links: readonly z.output<typeof link>[]): Facts["addresses"] {
  const pairs = links.map(({ address, addr_info: all }) => {
    const own = all.filter(({ family }) => family === "inet");
    return [address.toLowerCase(), own.map(({ local, prefixlen }) => `${local}/${prefixlen}`)];
  });
  return Object.fromEntries(pairs) as Facts["addresses"];
}

function packagesOf(text: string): Record<string, string> {
  const installed = linesOf(text).flatMap((line) => {
    const [status, name = "", version = ""] = line.split(" ");
    return status === "installed" ? [[name, version] as const] : [];
  });
  return Object.fromEntries(installed);
}

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function split(line: string, at: string): [string, string] {
  const [name = "", ...rest] = line.split(at);
  return [name, rest.join(at)];
}

/** The JSON of a fact; undefined where the node has none. */
function read<T extends z.ZodType>(schema: T, text: Text, name: string): z.output<T> | undefined {
  const json = text(name);
  return json === "" ? undefined : parseJson(schema, json, `${name} of inspect.sh`);
}

/** Reads one JSON object a line. */
function readEach<T extends z.ZodType>(schema: T, text: Text, name: string): z.output<T>[] {
  return linesOf(text(name)).map((line) => parseJson(schema, line, `${name} of inspect.sh`));
}
