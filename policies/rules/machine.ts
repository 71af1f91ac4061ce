/* Machines, by what Proxmox VE is told of them. */
import { MACHINE_UNPROTECTED } from "../../config/waivers/node";
import { NO_VM_BACKUP } from "../../config/waivers/policies";
import type { Finding } from "./finding";

/** Inputs of a VM that the rules look at. */
export interface MachineInputs {
  readonly name?: string;
  readonly vmId?: number;
  readonly protection?: boolean;
}

/** Inputs of a backup job that the rules look at. */
export interface JobInputs {
  readonly enabled?: boolean;
  readonly all?: boolean;
  readonly vmids?: readonly string[];
}

/** @param protect Pulumi's own protection of the resource */
export function checkProtection({ protection }: MachineInputs, protect: boolean): Finding[] {
  const by = [
    ...(protect ? [] : ["Pulumi (protect)"]),
    ...(protection === true ? [] : ["Proxmox (protection)"]),
  ];
  if (by.length === 0) return [];
  return [{ what: `is not protected by ${by.join(" and ")}`, waiver: MACHINE_UNPROTECTED }];
}

/** A machine without an id has one that is not known yet, so no job can name it. */
export function checkBackup({ vmId }: MachineInputs, jobs: readonly JobInputs[]): Finding[] {
  const covers = ({ enabled = true, all, vmids = [] }: JobInputs): boolean =>
    enabled && (all === true || (vmId !== undefined && vmids.includes(String(vmId))));
  if (jobs.some(covers)) return [];
  return [{ what: "no backup job of the stack covers it", waiver: NO_VM_BACKUP }];
}
