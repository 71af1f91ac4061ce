import { createHash } from "node:crypto";
import { machineSize } from "./node";
import type { NodeConfig } from "./schema";

/**
 * What the provider reboots the machine for when it changes (terraform-provider-proxmox, vm.go and disk.go, `rebootRequired`): its
 * size, and a digest of the rest. What an override says may be a secret.
 */
export function bootedWith(node: NodeConfig): string {
  const { machine, network, override } = node;
  const { address, gateway, ipv6, dnsServers, searchDomain, nics } = network;
  const rest = [
    ...[machine.cpu, machine.disk.aio, machine.dockerDisk?.aio, machine.agentTimeoutSeconds],
    ...[address, gateway, ipv6, dnsServers, searchDomain],
    nics.map((nic) => [nic.address, nic.ipv6]),
    override?.machine,
  ];
  const digest = createHash("sha256").update(JSON.stringify(rest)).digest("hex");
  return `${machineSize(node)}, ${digest.slice(0, 12)}`;
}
