/** Checks of the cluster before anything is declared. They warn and never fail. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../config/load";
import { nameResource, PART } from "../../config/names";
import { AnswerError } from "../answer";
import { ClusterError, connect, type Cluster } from "../proxmox";
import { filteredNodes, isFirewallOn, TURN_ON } from "../proxmox-firewall";
import { listGuests, type ListedGuest } from "../proxmox-guests";
import type { Known } from "./known";

/** Warns of firewall rules that Proxmox does not enforce, and of VMs that run on another node than expected. */
export async function warnOfCluster(
  settings: Settings,
  token: pulumi.Output<string>,
  known: Readonly<Record<string, Known>>,
): Promise<void> {
  const apiToken = await new Promise<string>((resolve) => void token.apply(resolve));
  const cluster = connect({ ...settings.proxmox, apiToken });
  const checks = [findIdleFirewall(settings, cluster), findMoved(settings, cluster, known)];
  for (const line of (await Promise.all(checks)).flat()) await pulumi.log.warn(line);
}

async function findIdleFirewall({ nodes }: Settings, cluster: Cluster): Promise<string[]> {
  const names = filteredNodes(nodes).join(", ");
  if (names === "") return [];
  try {
    if (await isFirewallOn((path) => cluster.get(path))) return [];
    return [
      `the firewall of the datacenter is off, so Proxmox enforces no firewall rule of ${names}; ` +
        `turn it on once you keep your own access: ${TURN_ON}`,
    ];
  } catch (error) {
    return [
      `it is unknown whether Proxmox enforces the firewall rules of ${names}: ${reasonOf(error)}`,
    ];
  }
}

async function findMoved(
  settings: Settings,
  cluster: Cluster,
  known: Readonly<Record<string, Known>>,
): Promise<string[]> {
  const names = Object.keys(known).join(", ");
  if (names === "") return [];
  try {
    return movesIn(settings, await listGuests((path) => cluster.get(path)), known);
  } catch (error) {
    return [`it is unknown on which Proxmox node the VM of ${names} runs: ${reasonOf(error)}`];
  }
}

function movesIn(
  { nodes }: Settings,
  all: readonly ListedGuest[],
  known: Readonly<Record<string, Known>>,
): string[] {
  return Object.entries(known).flatMap(([name, { recorded }]) => {
    const { vmId, proxmoxNode = "", replication } = nodes[name]?.machine ?? {};
    const actual = all.find(({ vmid }) => vmid === vmId)?.node;
    const where = `${name}: VM ${vmId ?? 0} is on ${actual ?? ""}`;
    if (actual === undefined) return [];
    if (actual !== recorded.proxmoxNode)
      return `${where}, and the stack's state says ${recorded.proxmoxNode}: first run pulumi refresh --target '**::${nameResource(name, PART.vm)}'`;
    if (actual === proxmoxNode) return [];
    // Proxmox has turned the replication round as well, and a target that is the VM's own Proxmox node is refused.
    const turned =
      replication?.target === actual ? `, and ${proxmoxNode} as replication.target` : "";
    return `${where}, and machine.proxmoxNode is ${proxmoxNode}: only Proxmox can move it; set ${actual} there${turned}`;
  });
}

/** Why the cluster did not tell, in words. @throws any other error: it is a mistake of this program */
function reasonOf(error: unknown): string {
  if (!(error instanceof ClusterError || error instanceof AnswerError)) throw error;
  return error instanceof ClusterError && error.status === 403
    ? "the token needs Sys.Audit on / (npx docker-node doctor --print-role)"
    : error.message;
}
