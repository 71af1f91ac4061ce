/** The privileges that the program needs and their paths, as listed in privileges.json. */
import { nicsOf, vlansOf } from "../../config/lan";
import type { NamedNode } from "./types";
import list from "./privileges.json";

export interface Privilege {
  readonly name: string;
  readonly reason: string;
}

/** A role and the path on which it is granted. `{…}` in the path stands for a value of a node's configuration. */
export interface Role {
  readonly role: string;
  readonly path: string;
  /** Whether it also applies below the path. */
  readonly propagate: boolean;
  /** Only nodes with this section of the configuration need the role. Default: every node. */
  readonly when?: string;
  readonly privileges: readonly Privilege[];
}

export const ROLES: readonly Role[] = list.roles;

/** A privilege that the token must have on a path. */
export interface Requirement {
  readonly path: string;
  readonly privilege: string;
  readonly reason: string;
}

/** Returns the paths of a role for a node: `{…}` and `/vms` filled in. Empty if the node does not need the role. */
export function pathsOf({ path, when }: Role, [, node]: NamedNode): string[] {
  const { machine } = node;
  const job = node.backups?.vm;
  if (!has(node, when)) return [];
  const source = machine.image;
  const image = source && "url" in source ? source : undefined;
  const template = source && "template" in source ? source.template : undefined;
  const disks = [machine.disk, ...(machine.dockerDisk ? [machine.dockerDisk] : [])];
  const values: Record<string, readonly string[]> = {
    "/": ["/"],
    "/vms": [`/vms/${machine.vmId}`],
    "/vms/{template}": template ? [`/vms/${template}`] : [],
    "/storage/{imageDatastore}": image ? [`/storage/${image.datastore}`] : [],
    "/storage/{diskDatastore}": [
      ...disks.map(({ datastore }) => `/storage/${datastore}`),
      ...(job?.fleecing ? [`/storage/${job.fleecing.storage}`] : []),
    ],
    "/storage/{backupStorage}": job ? [`/storage/${job.storage}`] : [],
    "/nodes/{proxmoxNode}": image ? [`/nodes/${image.node ?? machine.proxmoxNode}`] : [],
    "/sdn/zones/localnetwork/{bridge}/{vlan}": bridgePaths(node),
  };
  return [...new Set(values[path])];
}

/** Each VLAN of a NIC; for a NIC without one, the bridge itself. */
function bridgePaths(node: NamedNode[1]): string[] {
  return nicsOf(node).flatMap((nic) => {
    const path = `/sdn/zones/localnetwork/${nic.bridge}`;
    const own = nic.vlan === undefined ? [path] : [];
    return [...own, ...vlansOf(nic).map((vlan) => `${path}/${vlan}`)];
  });
}

/** Whether a node has the section that a role needs. */
function has({ backups, network, machine }: NamedNode[1], when?: string): boolean {
  const sections: Readonly<Record<string, unknown>> = {
    "backups.vm": backups?.vm,
    "network.firewall": network.firewall?.enabled,
    "machine.highAvailability": machine.highAvailability,
    "machine.replication": machine.replication,
  };
  return when === undefined || Boolean(sections[when]);
}

/** Returns every privilege that the token needs for these nodes, each once. */
export function listRequirements(nodes: readonly NamedNode[]): Requirement[] {
  const found = new Map<string, Requirement>();
  for (const role of ROLES) {
    for (const path of nodes.flatMap((node) => pathsOf(role, node))) {
      for (const { name, reason } of role.privileges) {
        found.set(`${path} ${name}`, { path, privilege: name, reason });
      }
    }
  }
  return [...found.values()];
}

/** `GET /access/permissions?path=…`: path → privilege → whether it propagates. */
type Permissions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Returns the privileges that are in effect on a path. */
export function effectivePrivileges(permissions: Permissions, path: string): Set<string> {
  const isAbove = ([at]: [string, unknown]): boolean =>
    at === path || at === "/" || path.startsWith(`${at}/`);
  return new Set(
    Object.entries(permissions)
      .filter(isAbove)
      .flatMap(([, privileges]) => Object.keys(privileges)),
  );
}
