import { addressesOf, reachableWorkloads } from "../discovery";
import { nicsOf } from "../lan";
import { addressOfNode, checksumOf } from "../node";
import { ownAddresses, ownNetworks } from "../own-networks";
import { attempt } from "../partial";
import { keyText, type Problem } from "../problems";
import type { NodeConfig } from "../schema";
import { workloadsOf } from "../workloads";
import { checkHandedOut, checkPeers } from "./peers";
import { checkUsers } from "./registries";

type Nodes = Readonly<Record<string, NodeConfig>>;

/** Reports a value that is not allowed: the node, the path below it, the value, and what is allowed. */
type Report = (node: string, path: string, value: unknown, allowed: string) => void;

/** Checks one node against all others. */
type Check = (name: string, node: NodeConfig, report: Report) => void;

/** Returns problems between nodes. Each is reported for the later node. */
export function checkFleet(nodes: Nodes): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (node, path, value, allowed) => {
    problems.push({ path: ["nodes", node, ...path.split("/")], value, allowed });
  };
  const checks = [
    checkPrimaries(nodes),
    ...CLAIMS.map(checkUnique),
    checkReach(nodes),
    checkReached(nodes),
    checkHandOuts(nodes),
    checkImages(),
    checkUsers(),
  ];
  for (const [name, node] of Object.entries(nodes)) {
    for (const check of checks) {
      attempt(() => {
        check(name, node, report);
      });
    }
  }
  return problems;
}

/** A value that no other node may have, where it is declared, and the form in which it is compared. */
interface Claim {
  readonly path: string;
  readonly value: unknown;
  readonly as: unknown;
}

/** What no two nodes share. What two NICs of one node share, own-networks.ts reports. */
const CLAIMS: readonly ((node: NodeConfig) => readonly Claim[])[] = [
  ({ machine: { vmId } }) => [{ path: "machine/vmId", value: vmId, as: vmId }],
  (node) =>
    ownNetworks(node).map(({ path, cidr, address }) => ({ path, value: cidr, as: address })),
  (node) =>
    nicsOf(node).map(({ path, macAddress }) => ({
      ...{ path: `${path}/macAddress`, value: macAddress, as: macAddress },
    })),
  ({ portainer }) => {
    const name = portainer?.environment?.name;
    return [{ path: "portainer/environment/name", value: name, as: name }];
  },
];

function checkUnique(claimsOf: (node: NodeConfig) => readonly Claim[]): Check {
  const owners = new Map<unknown, string>();
  return (name, node, report) => {
    for (const { path, value, as } of claimsOf(node)) {
      if (as === undefined) continue;
      const owner = owners.get(as);
      if (owner === undefined) owners.set(as, name);
      else if (owner !== name)
        report(name, path, value, `a value that no other node has; ${keyText(owner)} has this one`);
    }
  };
}

function checkPrimaries(nodes: Nodes): Check {
  const names = Object.keys(nodes);
  const allowed = `a node of this stack (${names.map(keyText).join(", ")}), or { address, port } of one elsewhere`;
  return (name, { primary }, report) => {
    if (typeof primary === "string" && !names.includes(primary))
      report(name, "primary", primary, allowed);
  };
}

/** Docker's subnets must leave the node's peers reachable. A primary that is given by name has its node's address. */
function checkReach(nodes: Nodes): Check {
  const addressOfPrimary = ({ primary }: NodeConfig): string | undefined => {
    if (typeof primary === "object") return primary.address;
    const named = primary === undefined ? undefined : nodes[primary];
    return named && addressOfNode(named);
  };
  return (name, node, report) => {
    checkPeers(node, addressOfPrimary, (path, value, allowed) => {
      report(name, path, value, allowed);
    });
  };
}

/** What a workload reaches has to be there, with a port for others. */
function checkReached(nodes: Nodes): Check {
  return (name, node, report) => {
    for (const [workload, { reaches }] of workloadsOf(node))
      reaches.forEach((other, index) => {
        if (addressesOf(other, nodes).length > 0) return;
        const known = reachableWorkloads(nodes).join(", ") || "there is none";
        const allowed = `a workload with a port on the address of its node: ${known}`;
        report(name, `workloads/${workload}/reaches/${index}`, other, allowed);
      });
  };
}

/** Containers of a macvlan or an ipvlan get no address that another machine has. */
function checkHandOuts(nodes: Nodes): Check {
  const others = {
    "network.gateway": ({ network }: NodeConfig) => [network.gateway],
    "network.ipv6.gateway": ({ network }: NodeConfig) => [network.ipv6?.gateway],
    primary: ({ primary }: NodeConfig) => (typeof primary === "object" ? [primary.address] : []),
    "another node": (own: NodeConfig) =>
      Object.values(nodes).flatMap((node) => (node === own ? [] : ownAddresses(node))),
  };
  return (name, node, report) => {
    checkHandedOut(node, others, (path, value, allowed) => {
      report(name, path, value, allowed);
    });
  };
}

/**
 * Proxmox knows an image by its file name, so one name must mean one content. The configuration does not say whether
 * Proxmox nodes share a datastore, so datastores with the same name count as one.
 */
function checkImages(): Check {
  const first = new Map<string, readonly [name: string, source: string]>();
  return (name, { machine: { image, adopt } }, report) => {
    if (adopt || !image || !("url" in image)) return;
    const file = `${image.datastore}:${image.fileName}`;
    const { kind, checksum } = checksumOf(image);
    const source = `${image.url} with ${kind} ${checksum}`;
    const [other, from] = first.get(file) ?? [name, source];
    first.set(file, [other, from]);
    if (from === source) return;
    const allowed = `a name of its own, or the source that ${keyText(other)} declares for it: ${from}`;
    report(name, "machine/image/fileName", image.fileName, allowed);
  };
}
