/** What `inspect.sh` says of a node, decoded. */

export interface Network {
  readonly Name: string;
  readonly Id: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly EnableIPv6: boolean;
  readonly Internal: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Config: readonly Pool[] | null;
  };
  readonly Options: Readonly<Record<string, string>> | null;
}

export interface Pool {
  readonly Subnet: string;
  readonly Gateway?: string;
  readonly IPRange?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | null;
}

export interface Volume {
  readonly Name: string;
  readonly Driver: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
}

export interface Container {
  readonly id: string;
  readonly name: string;
  /** As it was given to `docker run`. */
  readonly image: string;
  readonly imageId: string;
  readonly running: boolean;
  readonly restart: string;
  readonly userns: string;
  readonly ports: Readonly<
    Record<string, readonly { HostIp: string; HostPort: string }[] | null>
  > | null;
  readonly binds: readonly string[] | null;
  /** Names of environment variables; their values stay on the node. */
  readonly environment: readonly string[];
}

/** A block device, with what is on it. */
export interface Device {
  readonly name: string;
  readonly type: string;
  readonly fstype: string | null;
  readonly mountpoints: readonly (string | null)[];
  /** On Proxmox the slot: `drive-scsi1`. */
  readonly serial: string | null;
}

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
  readonly info: { driver: string; root: string; liveRestore: boolean; swarm: string } | undefined;
  readonly networks: readonly Network[];
  readonly volumes: readonly Volume[];
  readonly containers: readonly Container[];
  readonly images: readonly { id: string; digests: readonly string[] | null }[];
  /** The filesystem under /var/lib/docker. */
  readonly mount: { source: string; fstype: string; options: string } | undefined;
  readonly disks: readonly Device[];
  /** Addresses by MAC, in lower case: `10.25.20.23/24`. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly gateway: string | undefined;
  readonly nameservers: readonly string[];
}

/**
 * Decodes the lines of `inspect.sh`.
 * @throws Error when they are not all there: the script did not get through
 */
export function parseFacts(output: string): Facts {
  const pairs = lines(output).map((line) => line.split(" ", 2) as [string, string?]);
  const facts = new Map(
    pairs.map(([name, text = ""]) => [name, Buffer.from(text, "base64").toString("utf8").trim()]),
  );
  if (!facts.has("end")) throw new Error(`the node's answer is incomplete:\n${output.slice(-300)}`);
  const text: Text = (name) => facts.get(name) ?? "";
  return { ...dockerFacts(text), ...machineFacts(text) };
}

type Text = (name: string) => string;
type DaemonFacts = "packages" | "holds" | "daemonJson" | "unit" | "info" | "dockerGroup";
type DockerFacts = "networks" | "volumes" | "containers" | "images";

function dockerFacts(text: Text): Pick<Facts, DaemonFacts | DockerFacts> {
  const members = text("dockerGroup").split(":")[3] ?? "";
  return {
    packages: packagesOf(text("packages")),
    holds: lines(text("holds")),
    daemonJson: text("daemonJson") || undefined,
    unit: Object.fromEntries(lines(text("unit")).map((line) => split(line, "="))),
    info: json(text("info")) as Facts["info"],
    dockerGroup: members.split(",").filter((name) => name !== ""),
    networks: lines(text("networks")).map(json) as Network[],
    volumes: lines(text("volumes")).map(json) as Volume[],
    containers: lines(text("containers")).map(json) as Container[],
    images: lines(text("images")).map(json) as Facts["images"],
  };
}

function machineFacts(text: Text): Omit<Facts, DaemonFacts | DockerFacts> {
  const mount = json(text("mount")) as { filesystems: [Facts["mount"]] } | undefined;
  const disks = json(text("disks")) as { blockdevices: Device[] } | undefined;
  const links = (json(text("addresses")) ?? []) as Link[];
  const routes = (json(text("routes")) ?? []) as { gateway?: string }[];
  return {
    hostname: text("hostname"),
    hostKey: text("hostKey"),
    cloudInit: text("cloudInit"),
    authorizedKeys: lines(text("keys")),
    mount: mount?.filesystems[0],
    disks: disks?.blockdevices ?? [],
    addresses: addressesOf(links),
    gateway: routes.find(({ gateway }) => gateway)?.gateway,
    nameservers: lines(text("nameservers")),
  };
}

interface Link {
  readonly address: string;
  readonly addr_info: readonly { family: string; local: string; prefixlen: number }[];
}

function addressesOf(links: readonly Link[]): Facts["addresses"] {
  const pairs = links.map(({ address, addr_info: all }) => {
    const own = all.filter(({ family }) => family === "inet");
    return [address.toLowerCase(), own.map(({ local, prefixlen }) => `${local}/${prefixlen}`)];
  });
  return Object.fromEntries(pairs) as Facts["addresses"];
}

function packagesOf(text: string): Record<string, string> {
  const installed = lines(text).flatMap((line) => {
    const [status, name = "", version = ""] = line.split(" ");
    return status === "installed" ? [[name, version] as const] : [];
  });
  return Object.fromEntries(installed);
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function split(line: string, at: string): [string, string] {
  const [name = "", ...rest] = line.split(at);
  return [name, rest.join(at)];
}

const json = (text: string): unknown => (text === "" ? undefined : JSON.parse(text));
