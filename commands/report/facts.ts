/** Picks what a report tells from what was found; the rest of an inventory or a plan may hold secrets. */
import type { Alert } from "../../clients/prometheus";
import { addressOf } from "../../config/cidr";
import type { Settings } from "../../config/load";
import { addressOfNode, machineSize } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import { daysLeft } from "../../config/waivers/days";
import { describeDifference } from "../../node/checks";
import type { Result as Check } from "../benchmark/judge";
import { countResults } from "../benchmark/report";
import { rankOpen, type Result as Scan } from "../image-scan/scan";
import type { Plan } from "../plan/model";
import { nameOf, type Attachment, type Inventory } from "../site/inventory";
import { networksIn } from "../validate/rows/docker";
import { changesOf, lookOf } from "../validate/rows/stack";
import type { DockerInfo } from "../validate/subject";
import type {
  AlertFacts,
  ContainerFacts,
  DockerFacts,
  DriftFacts,
  ImageFacts,
  MachineFacts,
  NetworkFacts,
  SecurityFacts,
  WaiverFacts,
} from "./model";

export function machineFacts(node: NodeConfig): MachineFacts {
  const { vmId, proxmoxNode, disk, dockerDisk } = node.machine;
  const disks = [disk, ...(dockerDisk ? [dockerDisk] : [])];
  const { ipv6, gateway, nics } = node.network;
  return {
    ...{ vmId, proxmoxNode, size: machineSize(node) },
    disks: disks.map(({ sizeGiB, datastore }) => `${sizeGiB} GiB on ${datastore}`),
    addresses: [addressOfNode(node), ...(ipv6 ? [addressOf(ipv6.address)] : [])],
    gateways: [gateway, ...(ipv6?.gateway ? [ipv6.gateway] : [])],
    nics: nics.map(describeNic),
  };
}

function describeNic({
  address,
  ipv6,
  bridge,
  vlan,
}: NodeConfig["network"]["nics"][number]): string {
  const addresses = [address, ...(ipv6 ? [ipv6.address] : [])];
  return `${addresses.join(", ")} on ${bridge}${vlan === undefined ? "" : `, VLAN ${vlan}`}`;
}

export const dockerFacts = (info: DockerInfo): DockerFacts => ({
  release: info.ServerVersion,
  system: info.OperatingSystem,
  kernel: info.KernelVersion,
  processors: info.NCPU,
  memoryBytes: info.MemTotal,
  storage: info.Driver,
  logging: info.LoggingDriver,
  liveRestore: info.LiveRestoreEnabled,
});

const sortByName = <T extends { readonly name: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => (a.name < b.name ? -1 : 1));

export const containerFacts = ({ containers }: Inventory): ContainerFacts[] =>
  sortByName(
    containers.map((one) => ({
      name: nameOf(one),
      image: one.Config.Image,
      running: one.State?.Running ?? false,
      health: one.State?.Health?.Status,
    })),
  );

/** Networks in the order of their names, each with its containers. */
export function networkFacts(inventory: Inventory): NetworkFacts[] {
  const facts = networksIn(inventory).map(({ Name: name, Driver: driver, Internal, IPAM }) => ({
    ...{ name, driver, internal: Internal },
    subnets: (IPAM.Config ?? []).map(({ Subnet }) => Subnet),
    members: membersOf(name, inventory),
  }));
  return sortByName(facts);
}

function membersOf(network: string, { containers }: Inventory): NetworkFacts["members"] {
  const members = containers.flatMap((one) => {
    const attached = one.NetworkSettings?.Networks?.[network];
    return attached ? [{ name: nameOf(one), address: addressesIn(attached) }] : [];
  });
  return sortByName(members).map(({ name: container, address }) => ({ container, address }));
}

/** Addresses of a container, IPv4 first. Docker tells an empty text for one that it does not have. */
const addressesIn = ({ IPAddress, GlobalIPv6Address }: Attachment): string =>
  [IPAddress, GlobalIPv6Address].filter((one) => typeof one === "string" && one !== "").join(" ");

/** A node's alerts, those that have fired longest before the others. */
export const alertFacts = (node: string, alerts: readonly Alert[]): AlertFacts[] =>
  alerts
    .filter((one) => one.node === node)
    .map(({ name, severity, summary, since }) => ({ name, severity, summary, since }))
    .sort((a, b) => (a.since < b.since ? -1 : 1));

export const securityFacts = (checks: readonly Check[]): SecurityFacts => ({
  ...countResults(checks),
  open: checks.flatMap(({ id, title, open }) =>
    open.map(({ what, container }) => ({
      ...{ id, title },
      what: container === undefined ? what : `${container}: ${what}`,
    })),
  ),
});

export function imageFacts(results: readonly Scan[]): ImageFacts {
  const scanned = results.flatMap((one) => ("reason" in one ? [] : [one]));
  return {
    scanned: scanned.length,
    waived: scanned.reduce((sum, { judgement }) => sum + judgement.waived.length, 0),
    open: rankOpen(results).map(({ id, severity, container, exposure, fixed, ...rest }) => ({
      ...{ id, severity, container, fixed },
      exposure: exposure.rank,
      because: exposure.words,
      what: `${rest.package} ${rest.installed}${rest.title && `: ${rest.title}`}`,
    })),
    unknown: results.flatMap((one) =>
      "reason" in one ? [`${one.request.container}: ${one.reason}`] : [],
    ),
  };
}

/** Waivers of a node and of all, those that end first before the others. */
export const waiverFacts = (node: string, { waivers }: Settings, now: Date): WaiverFacts[] =>
  waivers
    .filter((one) => one.node === node || one.node === "all")
    .map(({ id, container, vulnerability, image, reason, control, owner, expires }) => ({
      ...{ id, container, vulnerability, image, reason, control, owner, expires },
      daysLeft: daysLeft({ expires }, now),
    }))
    .sort((a, b) => a.daysLeft - b.daysLeft);

/** @throws Error when pulumi failed */
export function driftFacts(node: string, plan: Plan): DriftFacts {
  const { differences, problems } = lookOf(node, plan);
  return {
    changes: changesOf(node, plan).map(({ action, type, name, properties }) => ({
      ...{ action, type, name },
      properties: properties.map(({ path }) => path),
    })),
    looks: differences.map(describeDifference),
    problems,
  };
}
