/** What the cluster says before anything is declared: warnings, never a failure. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../config/load";
import { AnswerError } from "../answer";
import { ClusterError, connect, type Cluster } from "../proxmox";
import { filteredNodes, firewallIsOn, TURN_ON } from "../proxmox-firewall";

/** Warns of rules that Proxmox does not enforce. */
export async function warnOfCluster(
  settings: Settings,
  token: pulumi.Output<string>,
): Promise<void> {
  const apiToken = await new Promise<string>((resolve) => void token.apply(resolve));
  const cluster = connect({ ...settings.proxmox, apiToken });
  for (const line of await idleFirewall(settings, cluster)) await pulumi.log.warn(line);
}

async function idleFirewall({ nodes }: Settings, cluster: Cluster): Promise<string[]> {
  const names = filteredNodes(nodes).join(", ");
  if (names === "") return [];
  try {
    if (await firewallIsOn((path) => cluster.get(path))) return [];
    return [
      `the firewall of the datacenter is off, so Proxmox enforces no rule of ${names}; ` +
        `turn it on once you keep your own access: ${TURN_ON}`,
    ];
  } catch (error) {
    if (!(error instanceof ClusterError || error instanceof AnswerError)) throw error;
    return [`whether Proxmox enforces the rules of ${names} cannot be seen: ${reason(error)}`];
  }
}

function reason(error: Error): string {
  return error instanceof ClusterError && error.status === 403
    ? "the token needs Sys.Audit on / (npx docker-node doctor --print-role)"
    : error.message;
}
