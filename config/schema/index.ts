import { z } from "zod";
import { adoptSchema } from "./adopt";
import { backupsSchema } from "./backups";
import { containerNetworkSchema } from "./container-networks";
import { dockerSchema } from "./docker";
import { dockerName, hostLabel } from "./fields";
import { hardeningSchema } from "./hardening";
import { imagesSchema } from "./images";
import { machineSchema } from "./machine";
import { monitoringSchema } from "./monitoring";
import { networkSchema } from "./network";
import { overrideSchema } from "./override";
import { drainSchema, labelsSchema } from "./placement";
import { portainerSchema } from "./portainer";
import { primarySchema } from "./primary";
import type { proxmoxSchema } from "./proxmox";
import { registryHost, registrySchema } from "./registries";
import { sshSchema } from "./ssh";
import { DEFAULT_VALIDATION, validationSchema } from "./validation";
import { volumeSchema } from "./volumes";
import { workloadsSchema } from "./workloads";

export { DEFAULT_STARTUP } from "./machine";
export { proxmoxSchema } from "./proxmox";

/*
 * The schema of the configuration, one file for each section. Every object is strict: a misspelt key is an error, never
 * ignored. Checks that need several fields (overlaps, membership, versions) are in ../checks.
 */

/** One node, with defaults applied. */
export const nodeSchema = z.strictObject({
  machine: machineSchema,
  network: networkSchema,
  ssh: sshSchema,
  engine: dockerSchema,
  hardening: hardeningSchema
    .prefault({})
    .describe(
      "Units that harden the machine. A unit that is turned off restores what it replaced.",
    ),
  images: imagesSchema
    .optional()
    .describe(
      "Where the images of the node's containers may come from. Every image has a version and a digest anyway. Default: any registry.",
    ),
  portainer: portainerSchema.optional(),
  networks: z.record(dockerName, containerNetworkSchema).default({}),
  volumes: z.record(dockerName, volumeSchema).default({}),
  workloads: workloadsSchema
    .default({})
    .describe("Containers that the node runs for its users, by name."),
  labels: labelsSchema
    .default({})
    .describe("Labels of the node, by which workloads of the stack choose it (`place.labels`)."),
  drain: drainSchema
    .optional()
    .describe(
      "Takes workloads off the node, such as before maintenance. `spread`: those that the program placed run on other nodes. `all`: the others stop, too. Volumes stay. Default: none.",
    ),
  registries: z
    .record(registryHost, registrySchema)
    .default({})
    .describe(
      "Registries that want a password or have an authority of their own, by host. docs/how-to/use-a-private-registry.md",
    ),
  backups: backupsSchema.optional(),
  monitoring: monitoringSchema
    .optional()
    .describe(
      "What Prometheus reads on the node. Each part is there if it is declared (docs/how-to/monitor-a-node.md).",
    ),
  adopt: adoptSchema
    .default({ networks: {}, volumes: [] })
    .describe(
      "What exists already and is taken over as it is. `npx docker-node import` writes this section.",
    ),
  primary: primarySchema
    .optional()
    .describe(
      "The primary node, by its name in this stack or by its address. This node checks that it answers.",
    ),
  validation: validationSchema
    .default(DEFAULT_VALIDATION)
    .describe("Limits that `npx docker-node validate` checks."),
  override: overrideSchema
    .optional()
    .describe(
      "Arguments of resources that the configuration has no key for, as their providers name them. Maps are merged, lists are replaced, `envs` are added by name. Put no secrets here: the state holds the values in clear text.",
    ),
});

/** Name of a node. It is also the name of the VM and the host. */
export const nodeName = hostLabel;

/** One of `nodes`, merged with `defaults`; every default is filled in. */
export type NodeConfig = z.infer<typeof nodeSchema>;
/** `proxmox`: the cluster and what all nodes share there. */
export type ProxmoxConfig = z.infer<typeof proxmoxSchema>;
/** The VM of a node. */
export type MachineConfig = NodeConfig["machine"];
/** One of a node's Docker networks, of any driver. */
export type NetworkConfig = NodeConfig["networks"][string];
/** One of a node's workloads. */
export type WorkloadConfig = NodeConfig["workloads"][string];
/** `backups` of a node that has it. */
export type BackupsConfig = NonNullable<NodeConfig["backups"]>;
/** `proxmox.backupStorage`: where Proxmox VE keeps backups of VMs. */
export type BackupStorageConfig = NonNullable<ProxmoxConfig["backupStorage"]>;
/** `monitoring` of a node that has it. */
export type MonitoringConfig = NonNullable<NodeConfig["monitoring"]>;
/** `portainer` of a node that has it. */
export type PortainerConfig = NonNullable<NodeConfig["portainer"]>;
/** `portainer.environment`: how the node is registered in Portainer. */
export type EnvironmentConfig = NonNullable<PortainerConfig["environment"]>;
