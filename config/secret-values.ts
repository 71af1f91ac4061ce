/** Reads the secrets of the stack's configuration; config/secrets.ts has the table of them. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "./load";
import { passwordName } from "./registries";
import { hostsOf, nodesWith, secretOf, workloadSecrets, type SecretName } from "./secrets";
import { isNeeded, missingSecrets } from "./secret-needs";

/** Secrets of the stack's configuration. As outputs they stay encrypted in the state. */
export interface Secrets {
  proxmoxApiToken: pulumi.Output<string>;
  /** AGENT_SECRET of Portainer; only if a node has an agent. */
  agentSecret?: pulumi.Output<string>;
  /** The one that Portainer gets next; only if a node has an agent with it. */
  agentSecretNext?: pulumi.Output<string>;
  /** Access token of Portainer; only if a node has an environment there. */
  portainerApiKey?: pulumi.Output<string>;
  /** By node, for nodes with backups. A node may have its own token; all share one encryption key. */
  backups: Readonly<Record<string, { token: pulumi.Output<string>; key: pulumi.Output<string> }>>;
  /** Passwords of registries, by host. */
  registries: Readonly<Record<string, pulumi.Output<string>>>;
  /** Token of the Trivy server; only if a node's scans ask one. */
  scannerToken?: pulumi.Output<string>;
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
  const ask = (name: SecretName) => (isNeeded(name, settings) ? need(name) : undefined);
  const backupSecrets = (node: string) => ({
    token: config.getSecret(`backupToken-${node}`) ?? need("backupToken"),
    key: need("backupKey"),
  });
  return {
    proxmoxApiToken: need("proxmoxApiToken"),
    agentSecret: ask("agentSecret"),
    agentSecretNext: ask("agentSecretNext"),
    portainerApiKey: ask("portainerApiKey"),
    backups: mapNodes(nodesWith("backups", settings), backupSecrets),
    scannerToken: ask("imageScannerToken"),
    registries: readPasswords(config, settings),
    workloads: readWorkloadSecrets(config, settings),
    storage: settings.proxmox.backupStorage && {
      token: need("pbsStorageToken"),
      key: read("pbsStorageKey"),
    },
  };
}

const mapNodes = <T>(nodes: string[], read: (node: string) => T): Record<string, T> =>
  Object.fromEntries(nodes.map((node) => [node, read(node)]));

function readPasswords(config: pulumi.Config, settings: Settings): Secrets["registries"] {
  const read = (host: string) => config.getSecret(passwordName(host)) ?? pulumi.secret("");
  return Object.fromEntries(hostsOf(settings).map((host) => [host, read(host)]));
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
