/** Ports of the nodes that are forwarded to loopback. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Instance } from "./instance";
import { getPort } from "./ports";
import type { ProxmoxSettings } from "./proxmox";
import { runningService } from "./service";

/** Nodes of the lab by VM id. */
const VM_IDS = [2019, 2014] as const;

/** Ports of a node that are forwarded to loopback: ssh, the agents, and the metrics by what they measure. */
const GUEST_PORTS = {
  ...{ ssh: 22, agent: 9001, nextAgent: 9002 },
  ...{ node: 9100, containers: 9101, docker: 9323 },
} as const;

/** Loopback ports of a node. */
export type Forwards = Record<keyof typeof GUEST_PORTS, number>;

/** Loopback ports by VM id. */
export type ForwardsByVm = Record<string, Forwards>;

/** Returns the forwarded ports. A running node keeps the ports that it was started with. */
export async function forwardPorts({ stateDir }: Instance): Promise<ForwardsByVm> {
  const file = path.join(stateDir, "forwards.json");
  if (runningService(stateDir, "pve"))
    return JSON.parse(fs.readFileSync(file, "utf8")) as ForwardsByVm;
  const forwards: ForwardsByVm = {};
  for (const vmId of VM_IDS) {
    const ports: [string, number][] = [];
    for (const name of Object.keys(GUEST_PORTS))
      ports.push([name, await getPort(stateDir, `${name}-${vmId}`)]);
    forwards[vmId] = Object.fromEntries(ports) as Forwards;
  }
  fs.writeFileSync(file, JSON.stringify(forwards));
  return forwards;
}

/** The loopback port that leads to a port of a node; undefined if none does. */
export function forwardTo(
  forwards: ForwardsByVm,
  vmId: number,
  guestPort: number,
): number | undefined {
  const [name] = Object.entries(GUEST_PORTS).find(([, port]) => port === guestPort) ?? [];
  return forwards[vmId]?.[name as keyof Forwards];
}

/** Forwards as the Proxmox node takes them. */
export function guestPorts(forwards: ForwardsByVm): ProxmoxSettings["network"]["forwards"] {
  const ports = Object.entries(forwards).map(([vmId, byName]) => [
    vmId,
    Object.entries(GUEST_PORTS).map(([name, guestPort]) => ({
      guestPort,
      hostPort: byName[name as keyof Forwards],
    })),
  ]);
  return Object.fromEntries(ports) as ProxmoxSettings["network"]["forwards"];
}
