/** Judges whether the bridges of a Proxmox node carry what a node's NICs need: VLANs, trunks, large packets. */
import type { z } from "zod";
import type { interfaces } from "../../../clients/proxmox-answers";
import { nicsOf, vlansOf, type Nic } from "../../../config/lan";
import type { NodeConfig } from "../../../config/schema";
import { fail, pass, warn, type Finding } from "../types";

type Interface = z.output<typeof interfaces>[number];

/** Judges all NICs of a node, by the interfaces of the Proxmox node `host`. */
export function judgeNics(node: NodeConfig, host: string, all: readonly Interface[]): Finding {
  const path = `/nodes/${host}/network`;
  const findings = nicsOf(node).flatMap((nic) => {
    const found = all.find(({ iface }) => iface === nic.bridge);
    if (found) return [checkVlans(found, nic, path), ...checkMtu(found, nic, path)];
    const make = `pvesh create ${path} --iface ${nic.bridge} --type bridge --autostart 1 --bridge_vlan_aware 1 --bridge_ports <NIC>`;
    return [fail(`no ${nic.bridge} on ${host}, or the token may not use it`, make)];
  });
  return summarize(findings);
}

/** Joins findings: the worst status, and the texts and fixes of those that are bad. If none is, the texts of all. */
function summarize(findings: readonly Finding[]): Finding {
  const bad = (["fail", "warn"] as const).flatMap((status) =>
    findings.filter((finding) => finding.status === status),
  );
  const told = bad.length > 0 ? bad : findings;
  const detail = [...new Set(told.map((one) => one.detail))].join("; ");
  const fixes = new Set(bad.flatMap(({ fix }) => fix ?? []));
  return { status: bad[0]?.status ?? "pass", detail, ...joinFixes(fixes) };
}

const joinFixes = (fixes: ReadonlySet<string>): Pick<Finding, "fix"> =>
  fixes.size > 0 ? { fix: [...fixes].join("\n") } : {};

/** Checks that a bridge carries a NIC's VLAN and its trunks. With trunks it has to be VLAN-aware. */
function checkVlans(found: Interface, nic: Nic, path: string): Finding {
  const { bridge: name, trunks } = nic;
  const all = vlansOf(nic);
  if (all.length === 0) return pass(`${name} is there, and the NIC has no VLAN`);
  const define = (options: string): string =>
    `pvesh set ${path}/${name} --type bridge --bridge_vlan_aware 1 ${options} && pvesh set ${path}`;
  if (found.type === "bridge" && !found.bridge_vlan_aware) {
    const what = `${name} is not VLAN-aware; Proxmox `;
    const fix = define("--bridge_ports <NIC>");
    return trunks.length > 0
      ? fail(`${what}cannot start a VM that has trunks on it (VLAN ${trunks.join(", ")})`, fix)
      : warn(`${what}makes a bridge of its own for VLAN ${all.join(", ")}`, fix);
  }
  const absent = all.filter((one) => !carries(found.bridge_vids, one));
  if (absent.length === 0) return pass(`${name} carries VLAN ${all.join(", ")}`);
  return fail(`${name} does not carry VLAN ${absent.join(", ")}`, define("--bridge_vids 2-4094"));
}

/** Whether a VLAN is in a list such as `2-4094` or `10 20 30-39`. No list means all VLANs. */
export function carries(list: string | undefined, vlan: number): boolean {
  if (!list) return true;
  return list.split(/[\s,;]+/).some((part) => {
    const [from = 0, to = from] = part.split("-").map(Number);
    return vlan >= from && vlan <= to;
  });
}

/** The MTU of most ports, and so of a bridge that declares none: it takes the smallest of its ports (Linux, br_if.c). */
const USUAL_MTU = 1500;

/** Checks that a NIC's MTU is not above the bridge's; 1 is the bridge's own (qemu-server, print_netdevice_full). */
function checkMtu(found: Interface, nic: Nic, path: string): Finding[] {
  const { mtu = 1 } = nic;
  const { iface: name, type, mtu: most } = found;
  if (mtu <= (most ?? USUAL_MTU)) return [];
  const key = `${nic.path.replaceAll("/", ".")}.mtu`;
  const fix = `pvesh set ${path}/${name} --type ${type} --mtu ${mtu} && pvesh set ${path}  # its ports first; or declare less in ${key}`;
  if (most !== undefined) {
    const above = `${key} is ${mtu}, above ${most}, the MTU of ${name}`;
    return [fail(`${above}: Proxmox refuses such a NIC, and the VM does not start`, fix)];
  }
  const unknown = `${key} is ${mtu}, and ${name} declares no MTU: it takes that of its ports, usually ${USUAL_MTU}`;
  return [
    warn(
      `${unknown}, and if that is less, Proxmox refuses the NIC, and the VM does not start`,
      fix,
    ),
  ];
}
