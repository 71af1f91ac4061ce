import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "./load";
import { secretNames } from "./workloads";

/** A secret of the stack's configuration. Messages and documents read its description from here. */
export interface Secret {
  /** Its key, below `docker-node:`. `workloadSecret-<name>` stands for many. */
  readonly name: string;
  /** Its meaning, as Markdown. */
  readonly meaning: string;
  /** When the program needs it, in words. */
  readonly when: string;
  /** Example value after `pulumi config set --secret <name>`. */
  readonly example: string;
  /** Who uses it. */
  readonly usedBy: string;
  /** Minimum length in characters. */
  readonly minLength: number;
  /** Needs of these settings. Each is a list of names, and one of them has to be set. */
  readonly needed: (settings?: Settings) => readonly (readonly string[])[];
}

const nodesWith = (part: "portainer" | "backups", settings?: Settings): string[] =>
  Object.entries(settings?.nodes ?? {}).flatMap(([name, node]) => (node[part] ? [name] : []));

const isRegistered = (settings?: Settings): boolean =>
  Object.values(settings?.nodes ?? {}).some(({ portainer }) => portainer?.environment);

const workloadSecrets = (settings?: Settings): string[] => [
  ...new Set(Object.values(settings?.nodes ?? {}).flatMap(secretNames)),
];

const nameOnce = (name: string, needed: boolean): string[][] => (needed ? [[name]] : []);

/** Every secret, in the order in which messages and documents list them. */
export const SECRETS = [
  {
    name: "proxmoxApiToken",
    meaning: "`user@realm!token=uuid` of the Proxmox API token",
    when: "always",
    example: "'automation@pve!pulumi=<uuid>'",
    usedBy: "the Proxmox provider",
    minLength: 1,
    needed: () => [["proxmoxApiToken"]],
  },
  {
    name: "agentSecret",
    meaning: "AGENT_SECRET of the Portainer server, 16 characters or more",
    when: "for nodes with `portainer`",
    example: "'<AGENT_SECRET of the Portainer server>'",
    usedBy: "the Portainer agent",
    minLength: 16,
    needed: (settings) => nameOnce("agentSecret", nodesWith("portainer", settings).length > 0),
  },
  {
    name: "portainerApiKey",
    meaning: "access token of an administrator of Portainer",
    when: "for nodes with `portainer.environment`",
    example: "'<see docs/how-to/register-in-portainer.md>'",
    usedBy: "the workstation, as `X-API-Key`",
    minLength: 1,
    needed: (settings) => nameOnce("portainerApiKey", isRegistered(settings)),
  },
  {
    name: "backupToken",
    meaning:
      "secret of the nodes' API token on the backup server; `backupToken-<node>` is one node's own",
    when: "for nodes with `backups`",
    example: "'<see docs/how-to/prepare-the-backup-server.md>'",
    usedBy: "the backup container",
    minLength: 1,
    needed: (settings) =>
      nodesWith("backups", settings).map((node) => [`backupToken-${node}`, "backupToken"]),
  },
  {
    name: "backupKey",
    meaning: "encryption key, the JSON that `proxmox-backup-client key create --kdf none` writes",
    when: "for nodes with `backups`",
    example: "'<the JSON of the key file; see docs/how-to/prepare-the-backup-server.md>'",
    usedBy: "the backup container",
    minLength: 1,
    needed: (settings) => nameOnce("backupKey", nodesWith("backups", settings).length > 0),
  },
  {
    name: "pbsStorageToken",
    meaning: "secret that Proxmox VE presents to the backup server",
    when: "with `proxmox.backupStorage`",
    example: "'<see docs/how-to/prepare-the-backup-server.md>'",
    usedBy: "the backup storage of the cluster",
    minLength: 1,
    needed: (settings) =>
      nameOnce("pbsStorageToken", settings?.proxmox.backupStorage !== undefined),
  },
  {
    name: "pbsStorageKey",
    meaning: "encryption key of VM backups, as `backupKey`",
    when: "never; with `proxmox.backupStorage` it may be set",
    example: "'<the JSON of the key file>'",
    usedBy: "the backup storage of the cluster",
    minLength: 1,
    needed: () => [],
  },
  {
    name: "workloadSecret-<name>",
    meaning: "a secret of workloads, a file for each that names it under `secrets`",
    when: "for each name under `secrets` of a workload",
    example: "'<what the program in the container reads>'",
    usedBy: "a file in `/run/secrets` of the workload",
    minLength: 1,
    needed: (settings) => workloadSecrets(settings).map((name) => [`workloadSecret-${name}`]),
  },
] as const satisfies readonly Secret[];

/** Name of a secret of the whole stack. */
type SecretName = (typeof SECRETS)[number]["name"];

/** Returns the entry of a secret. */
export function secretOf(name: SecretName): Secret {
  return SECRETS.find((secret) => secret.name === name) as Secret;
}

/** Returns the secrets that these settings need but do not have, each by its name for the whole stack. */
export function missingSecrets(
  has: (name: string) => boolean,
  settings?: Settings,
): readonly Secret[] {
  return SECRETS.flatMap((secret: Secret) => {
    const missing = secret.needed(settings).filter((names) => !names.some(has));
    if (secret.name.includes("<")) return missing.map(([name = ""]) => ({ ...secret, name }));
    return missing.length > 0 ? [secret] : [];
  });
}

/** Secrets of the stack's configuration. As outputs they stay encrypted in the state. */
export interface Secrets {
  proxmoxApiToken: pulumi.Output<string>;
  /** AGENT_SECRET of Portainer; only if a node has an agent. */
  agentSecret?: pulumi.Output<string>;
  /** Access token of Portainer; only if a node has an environment there. */
  portainerApiKey?: pulumi.Output<string>;
  /** By node, for nodes with backups. A node may have its own token; all share one encryption key. */
  backups: Readonly<Record<string, { token: pulumi.Output<string>; key: pulumi.Output<string> }>>;
  /** By name, for those that workloads use. */
  workloads: Readonly<Record<string, pulumi.Output<string>>>;
  /** For the backup storage of the cluster; only if the stack declares it. */
  storage?: { token: pulumi.Output<string>; key?: pulumi.Output<string> };
}

/**
 * Reads every secret that the settings need, before anything is changed.
 * @throws RunError that names every missing secret and the command that sets it
 */
export function readSecrets(config: pulumi.Config, settings: Settings): Secrets {
  requireSecrets(config, settings);
  const read = (name: SecretName) =>
    config.getSecret(name, { minLength: secretOf(name).minLength });
  const need = (name: SecretName) => read(name) ?? pulumi.secret("");
  const backupSecrets = (node: string) => ({
    token: config.getSecret(`backupToken-${node}`) ?? need("backupToken"),
    key: need("backupKey"),
  });
  return {
    proxmoxApiToken: need("proxmoxApiToken"),
    agentSecret: nodesWith("portainer", settings).length > 0 ? need("agentSecret") : undefined,
    portainerApiKey: isRegistered(settings) ? need("portainerApiKey") : undefined,
    backups: Object.fromEntries(
      nodesWith("backups", settings).map((node) => [node, backupSecrets(node)]),
    ),
    workloads: readWorkloadSecrets(config, settings),
    storage: settings.proxmox.backupStorage && {
      token: need("pbsStorageToken"),
      key: read("pbsStorageKey"),
    },
  };
}

function readWorkloadSecrets(config: pulumi.Config, settings: Settings): Secrets["workloads"] {
  const read = (name: string) => config.requireSecret(`workloadSecret-${name}`);
  return Object.fromEntries(workloadSecrets(settings).map((name) => [name, read(name)]));
}

function requireSecrets(config: pulumi.Config, settings: Settings): void {
  const missing = missingSecrets((name) => config.getSecret(name) !== undefined, settings);
  if (missing.length === 0) return;
  const commands = missing.map(({ name }) => `  pulumi config set --secret ${name} <value>`);
  throw new pulumi.RunError(["secrets are missing; nothing was changed:", ...commands].join("\n"));
}
