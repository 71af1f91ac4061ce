/** The VM as a whole, which Proxmox VE backs up. */
import { isUnasked, type Evidence, type Row } from "../evidence";
import { RPO } from "../../../config/backups";
import { secondsSince } from "../judgement";

export function vmRow({ vm, vmId }: Evidence, now: Date): Row {
  const base = { kind: "vm", item: String(vmId), usedBy: [], rpo: RPO.vm } as const;
  if (vm === null) return { ...base, state: "never" };
  if (isUnasked(vm))
    return { ...base, state: "unknown", detail: `Proxmox VE could not be asked: ${vm.problem}` };
  const age = secondsSince(vm.takenAt, now);
  return { ...base, snapshot: vm.volume, age, state: age < RPO.vm ? "ok" : "late" };
}
