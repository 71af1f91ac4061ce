/** Turns the output of `docker inspect` into the requests that make the same container again. */
import type { Attachment, Container, Image, Mount, Network } from "../site/inventory";
import { namesInstead, sharesNetwork } from "./references";

type Fields = Readonly<Record<string, unknown>>;

/** Requests that make a container again: a body for `POST /containers/create`, and the networks joined afterwards. */
export interface Creation {
  readonly body: Fields;
  /** Further networks; older daemons take only one at creation. */
  readonly joins: readonly { readonly network: string; readonly endpoint: Fields }[];
}

/** What else was there at the time, to find by its id what a container refers to. */
export interface Surroundings {
  readonly containers: readonly Container[];
  readonly networks: readonly Network[];
}

/**
 * The container again, with what Docker made up on its own taken out, anonymous volumes by their names, and other
 * containers and networks by theirs.
 * @param image what it is made from, if that goes by another name now
 */
export function creationOf(
  container: Container,
  image = container.Config.Image,
  surroundings: Surroundings = { containers: [], networks: [] },
): Creation {
  const short = container.Id.slice(0, 12);
  const host = hostConfigOf(container, surroundings);
  const endpoints = Object.entries(container.NetworkSettings?.Networks ?? {})
    .filter(([name]) => !isBuiltIn(name))
    .map(([network, attachment]) => ({ network, endpoint: endpointOf(attachment, short) }));
  const first = endpoints.find(({ network }) => network === host["NetworkMode"]);
  const endpoint = { ...first?.endpoint, ...macAddressOf(container) };
  const mode = String(host["NetworkMode"]);
  return {
    body: {
      ...configOf(container, short),
      Image: image,
      HostConfig: host,
      ...(Object.keys(endpoint).length > 0 || first
        ? { NetworkingConfig: { EndpointsConfig: { [mode]: endpoint } } }
        : {}),
    },
    joins: endpoints.filter((one) => one !== first),
  };
}

/** A MAC address that was chosen. It is given for the network, as Docker 29 requires (API 1.52); Docker knows this since 25. */
function macAddressOf({ Config, HostConfig }: Container): Fields {
  const { MacAddress } = Config as { MacAddress?: string };
  return MacAddress && !isShared(HostConfig) ? { MacAddress } : {};
}

/** Ports and an address of its own are the network's, which may be another container's (moby, runconfig: they conflict). */
function configOf({ Config, HostConfig }: Container, short: string): Fields {
  const { Hostname, ...all } = Config as Fields & { Hostname?: string };
  const config = omit(all, ["MacAddress"]);
  const own = Hostname !== undefined && Hostname !== "" && Hostname !== short;
  const kept = { ...config, ...(own && !isShared(HostConfig) ? { Hostname } : {}) };
  return sharesNetwork(HostConfig) ? omit(kept, ["ExposedPorts"]) : kept;
}

/** `VolumesFrom` is in `Mounts` already, whether that container still exists or not. */
function hostConfigOf(container: Container, { containers, networks }: Surroundings): Fields {
  const { HostConfig } = container;
  const own = sharesNetwork(HostConfig)
    ? omit(HostConfig, ["PortBindings", "PublishAllPorts", "Links"])
    : HostConfig;
  const network = networks.find(({ Id }) => Id !== undefined && Id === own["NetworkMode"]);
  return {
    ...omit(namesInstead(own, containers), ["VolumesFrom"]),
    ...(network ? { NetworkMode: network.Name } : {}),
    Binds: bindsOf(container),
    ContainerIDFile: "",
  };
}

const omit = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));

const isBuiltIn = (network: string): boolean =>
  ["bridge", "host", "none", "default"].includes(network);

/** A container in another's network, or the host's, has that one's name. */
const isShared = (host: Fields): boolean => /^(host|container:)/.test(String(host["NetworkMode"]));

function endpointOf({ IPAMConfig, Links, Aliases, DriverOpts }: Attachment, id: string): Fields {
  const aliases = (Aliases ?? []).filter((alias) => alias !== id);
  return {
    ...(IPAMConfig ? { IPAMConfig } : {}),
    ...(Links ? { Links } : {}),
    ...(aliases.length > 0 ? { Aliases: aliases } : {}),
    ...(DriverOpts ? { DriverOpts } : {}),
  };
}

/**
 * Binds as they were, every volume that an image's VOLUME made, whose data is under that name, and what came from another
 * container (`VolumesFrom`).
 */
function bindsOf(container: Container): string[] {
  const { HostConfig, Mounts = [] } = container;
  const binds = (HostConfig["Binds"] ?? []) as string[];
  const mounts = (HostConfig["Mounts"] ?? []) as { Target: string }[];
  const declared = new Set([
    ...binds.map((bind) => bind.split(":")[1]),
    ...mounts.map(({ Target }) => Target),
  ]);
  const others = Mounts.filter((mount) => isVolume(mount) || mount.Type === "bind").filter(
    ({ Destination }) => !declared.has(Destination),
  );
  const sourceText = (mount: Mount): string =>
    isVolume(mount) ? (mount.Name ?? "") : mount.Source;
  const modeOf = ({ RW = true }: Mount): string => (RW ? "" : ":ro");
  return [
    ...binds,
    ...others.map((mount) => `${sourceText(mount)}:${mount.Destination}${modeOf(mount)}`),
  ];
}

const isVolume = ({ Type, Name }: Mount): boolean => Type === "volume" && Name !== undefined;

/** Names of the volumes a container uses. */
export const volumesOf = ({ Mounts = [] }: Container): string[] =>
  Mounts.filter(isVolume).map(({ Name }) => Name ?? "");

/** Names of the networks a container is in, without Docker's own. */
export const networksOf = ({ NetworkSettings }: Container): string[] =>
  Object.keys(NetworkSettings?.Networks ?? {}).filter((name) => !isBuiltIn(name));

/** Docker before 28 does not know `EnableIPv4`, and ignores it. */
const OF_NETWORK = [
  ...["Driver", "Internal", "Attachable", "EnableIPv4", "EnableIPv6", "IPAM", "Options", "Labels"],
];

/** Body for `POST /networks/create`. */
export function networkBody(network: Network): Fields {
  const kept = OF_NETWORK.flatMap((key) => (key in network ? [[key, network[key]]] : []));
  return { Name: network.Name, ...(Object.fromEntries(kept) as Fields) };
}

/** Where an image can be pulled from again: by digest where one is known, else by its tag, else nowhere. */
export function sourceOf({ Config, Image: id }: Container, images: readonly Image[]): string {
  if (Config.Image.includes("@")) return Config.Image;
  const image = images.find(({ Id }) => Id === id);
  const repository = Config.Image.replace(/:[^:/]+$/, "");
  const digests = image?.RepoDigests ?? [];
  const digest = digests.find((one) => one.startsWith(`${repository}@`)) ?? digests[0];
  const tag = /^(sha256:)?[0-9a-f]{64}$/.test(Config.Image) ? image?.RepoTags?.[0] : Config.Image;
  return digest ?? tag ?? "";
}
