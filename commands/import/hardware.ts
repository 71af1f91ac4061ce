/** The VM, as Proxmox has it. */
import type { z } from "zod";
import { ask, ClusterError, type Cluster } from "../../clients/proxmox";
import { firewallRules, guestConfig, guests } from "../../clients/proxmox-answers";
import { GUESTS } from "../../clients/proxmox-guests";

export interface Hardware {
  readonly vmId: number;
  /** Name in Proxmox. */
  readonly name: string;
  /** Proxmox node that runs it. */
  readonly proxmoxNode: string;
  readonly status: string;
  /** `GET …/config`, pending changes included. */
  readonly config: Readonly<Record<string, string | number>>;
  /** Rules of the VM's own firewall. */
  readonly firewallRules: number;
}

/**
 * Reads a VM.
 * @throws Error naming what is missing: the VM, or the privilege to see it
 */
export async function readHardware(cluster: Cluster, vmId: number): Promise<Hardware> {
  const all = await read(cluster, GUESTS, guests);
  const found = all.find((guest) => guest.vmid === vmId);
  const seen = all.map(({ vmid, name = "" }) => `${vmid ?? ""} ${name}`.trim()).join(", ");
  if (!found)
    throw new Error(`there is no VM ${vmId} that the token may see; it sees: ${seen || "none"}`);
  const { type = "", name = String(vmId), node: proxmoxNode = "", status = "" } = found;
  if (type !== "qemu") throw new Error(`${vmId} is a container (${type}), not a VM`);
  const path = `/nodes/${proxmoxNode}/qemu/${vmId}`;
  const config = await read(cluster, `${path}/config`, guestConfig);
  const rules = await read(cluster, `${path}/firewall/rules`, firewallRules);
  return { vmId, name, proxmoxNode, status, config, firewallRules: rules.length };
}

async function read<T extends z.ZodType>(
  cluster: Cluster,
  path: string,
  schema: T,
): Promise<z.output<T>> {
  try {
    return await ask((one) => cluster.get(one), path, schema);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const status = error.status === 0 ? "" : ` (${error.status})`;
    throw new Error(
      `Proxmox: GET ${path}: ${error.message}${status}; npx docker-node doctor says more`,
      {
        cause: error,
      },
    );
  }
}

/** `virtio=BC:24:11:00:00:01,bridge=vmbr0`: the text without a key is under "". */
export function parseOptions(value: string | number | undefined): Record<string, string> {
  const parts = String(value ?? "")
    .split(",")
    .filter((part) => part !== "");
  const splitPair = (part: string): [string, string] => {
    const at = part.indexOf("=");
    return at < 0 ? ["", part] : [part.slice(0, at), part.slice(at + 1)];
  };
  return Object.fromEntries(parts.map(splitPair));
}

const UNITS: Readonly<Record<string, number>> = { K: 1 / 1024 ** 2, M: 1 / 1024, G: 1, T: 1024 };

/** Size of a drive in GiB, such as `132G`; undefined when none is told. */
export function toGibibytes(size: string | undefined): number | undefined {
  const [, number, unit = "G"] = /^(\d+(?:\.\d+)?)([KMGT])?$/.exec(size ?? "") ?? [];
  return number === undefined ? undefined : Number(number) * (UNITS[unit] ?? 1);
}
