import { z } from "zod";
import { adoptSchema } from "./adopt";
import { backupsSchema } from "./backups";
import { containerNetworkSchema } from "./container-networks";
import { dockerSchema } from "./docker";
import { dockerName, hostLabel } from "./fields";
import { hardeningSchema } from "./hardening";
import { machineSchema } from "./machine";
import { networkSchema } from "./network";
import { overrideSchema } from "./override";
import { portainerSchema } from "./portainer";
import { primarySchema } from "./primary";
import type { proxmoxSchema } from "./proxmox";
import { sshSchema } from "./ssh";
import { DEFAULT_VALIDATION, validationSchema } from "./validation";
import { volumeSchema } from "./volumes";

export { DEFAULT_STARTUP } from "./machine";
export { proxmoxSchema } from "./proxmox";

/*
 * The shape of the configuration, one file a section. Every object is strict: a misspelt key is an error,
 * never ignored. What one field cannot say about itself (overlaps, membership, versions) is in ../checks.
 */

/** One node, defaults applied. */
export const nodeSchema = z.strictObject({
  machine: machineSchema,
  network: networkSchema,
  ssh: sshSchema,
  engine: dockerSchema,
  hardening: hardeningSchema
    .prefault({})
    .describe(
      "Units that harden the machine. A unit that is turned off puts back what it replaced.",
    ),
  portainer: portainerSchema.optional(),
  networks: z.record(dockerName, containerNetworkSchema).default({}),
  volumes: z.record(dockerName, volumeSchema).default({}),
  backups: backupsSchema.optional(),
  adopt: adoptSchema
    .default({ networks: {}, volumes: [] })
    .describe(
      "What exists already and is taken over as it is; `npx docker-node import` writes it.",
    ),
  primary: primarySchema
    .optional()
    .describe("The primary node, by its name in this stack or its address; asked from this node."),
  validation: validationSchema
    .default(DEFAULT_VALIDATION)
    .describe("What `npx docker-node validate` measures the node against."),
  override: overrideSchema
    .optional()
    .describe(
      "What the configuration has no word for: arguments of resources as their providers have them. Maps merge, lists are replaced; `envs` are added by name. No secrets: it stands in the state as it is.",
    ),
});

/** Name of a node: also the VM's and the host's name. */
export const nodeName = hostLabel;

export type NodeConfig = z.infer<typeof nodeSchema>;
export type ProxmoxConfig = z.infer<typeof proxmoxSchema>;
export type MachineConfig = NodeConfig["machine"];
export type NetworkConfig = NodeConfig["networks"][string];
export type BackupsConfig = NonNullable<NodeConfig["backups"]>;
export type BackupStorageConfig = NonNullable<ProxmoxConfig["backupStorage"]>;
export type PortainerConfig = NonNullable<NodeConfig["portainer"]>;
export type EnvironmentConfig = NonNullable<PortainerConfig["environment"]>;
