import type { NodeConfig, ProxmoxConfig } from "../schema";
import { BACKUP_DOWNGRADES } from "./backups";
import { BENCHMARK_IDS } from "./benchmark";
import { DAEMON_DOWNGRADES } from "./daemon";
import { weaknessIf, type Downgrade } from "./downgrade";
import { HARDENING_DOWNGRADES } from "./hardening";
import { IMAGE_DOWNGRADES } from "./images";
import { NODE_DOWNGRADES } from "./node";
import { OVERRIDE_DOWNGRADES } from "./override";
import { WORKLOAD_DOWNGRADES } from "./workloads";
import { POLICIES } from "./policies";
import { VULNERABILITIES } from "./vulnerabilities";

/** What weakens the way to Proxmox VE; it is the whole stack's. */
export const STACK_DOWNGRADES: readonly Downgrade<ProxmoxConfig>[] = [
  {
    id: "proxmox-insecure",
    allowed: "false",
    meaning:
      "Whoever is between workstation and Proxmox VE can take its place, and gets the token.",
    find: ({ insecure }) => weaknessIf(insecure, "insecure", insecure),
  },
];

/** What weakens a node. */
export const DOWNGRADES: readonly Downgrade<NodeConfig>[] = [
  ...NODE_DOWNGRADES,
  ...HARDENING_DOWNGRADES,
  ...IMAGE_DOWNGRADES,
  ...DAEMON_DOWNGRADES,
  ...OVERRIDE_DOWNGRADES,
  ...BACKUP_DOWNGRADES,
  ...WORKLOAD_DOWNGRADES,
];

/** Every id that a waiver may name, and whether for one container. */
export const WAIVABLE: readonly { readonly id: string; readonly ofContainers?: true }[] = [
  ...STACK_DOWNGRADES,
  ...DOWNGRADES,
  ...POLICIES,
  VULNERABILITIES,
  ...BENCHMARK_IDS,
];

/** What `id` of a waiver may be. */
export const WAIVABLE_IDS: readonly string[] = WAIVABLE.map(({ id }) => id);
