/** Opens a stack for recoveries: its settings, its nodes, and a connection to each. */
import { serverEndpoint, vmStoreOf } from "../../config/backups";
import type { ScanSecrets } from "../../config/image-scan";
import type { Settings } from "../../config/load";
import { loginsOf, passwordName } from "../../config/registries";
import { hideSecrets } from "../../config/secrets";
import type { NodeConfig } from "../../config/schema";
import type { Configuration } from "../../clients/pulumi/configuration";
import { openPulumi, type Published, type Pulumi } from "../../clients/pulumi/stack";
import { openProxmox } from "../../clients/proxmox-backups";
import { connect, type Credentials } from "../../clients/backup-server";
import type { Access } from "../../clients/portainer-call";
import { sshShell, type NodeShell } from "../../clients/ssh";
import { ROOT } from "../project";
import { backupsOf, type Site } from "./site";

/** A stack whose configuration is sound. */
export interface Opened {
  readonly stack: string;
  readonly settings: Settings;
  /** @throws Error when there is no such node, or it has no backups or no known host key */
  site(node: string): Site;
  /** @throws Error when there is no such node, or it has no known host key */
  shell(node: string): NodeShell;
  /** What the stack's outputs have of a node. */
  published(node: string): Published;
  /** What the scans of a node's images need. */
  scanSecrets(node: string): ScanSecrets;
  /** How the stack reaches a node's Portainer. @throws Error when the node is not registered, or the key cannot be read */
  portainer(node: string): Access;
  /** Replaces every known secret in a text. */
  redact(text: string): string;
}

/** How a stack is opened. */
export interface Options {
  readonly credentials: () => Credentials;
  /** Token for Proxmox VE with the right to restore; default: the stack's own. */
  readonly proxmoxToken?: string;
  readonly pulumi?: Pulumi;
  /** Options of ssh on top of those every node has. */
  readonly ssh?: readonly string[];
}

/** Reads the stack's configuration and outputs; no node is asked anything yet. */
export async function openStack(stack: string, options: Options): Promise<Opened> {
  const pulumi = options.pulumi ?? openPulumi(stack, ROOT);
  const configuration = await pulumi.configuration();
  const { settings, problems, sealed, secrets } = configuration;
  if (!settings)
    throw new Error([`stack ${stack}: the configuration is not valid:`, ...problems].join("\n  "));
  const published = sealed ? {} : await pulumi.readPublished();
  const proxmoxToken = options.proxmoxToken ?? configuration.apiToken;
  const known = { pulumi, settings, published, configuration, proxmoxToken, ssh: options.ssh };
  return {
    stack,
    settings,
    site: (name) => siteOf(name, known, options.credentials()),
    shell: (name) => shellOf(name, known),
    published: (name) => published[name] ?? {},
    redact: (text) => hideSecrets(text, secrets),
    scanSecrets: (name) => scanSecretsOf(nodeOf(name, settings), configuration),
    portainer: (name) => portainerOf(nodeOf(name, settings), configuration),
  };
}

interface Known {
  readonly pulumi: Pulumi;
  readonly settings: Settings;
  readonly published: Readonly<Record<string, Published>>;
  readonly configuration: Configuration;
  readonly proxmoxToken?: string;
  readonly ssh?: readonly string[];
}

function siteOf(name: string, known: Known, credentials: Credentials): Site {
  const { pulumi, settings, proxmoxToken } = known;
  const node = nodeOf(name, settings);
  const backups = backupsOf(name, node);
  const { server } = backups;
  const { host, port } = serverEndpoint(server);
  const { datastore, fingerprint } = server;
  return {
    name,
    node,
    backups,
    pulumi,
    shell: shellOf(name, known),
    repository: connect({ host, port, datastore, fingerprint, ...credentials }, name),
    vmStore: vmStoreOf(backups, settings.proxmox),
    proxmox: openProxmox(
      { ...settings.proxmox, apiToken: proxmoxToken ?? "", timeoutMs: 60_000 },
      node.machine.proxmoxNode,
    ),
    now: () => new Date(),
  };
}

function scanSecretsOf(node: NodeConfig, configuration: Configuration): ScanSecrets {
  const { registryPasswords = {}, scannerToken: token } = configuration;
  const passwords = loginsOf(node).flatMap(({ host }) => {
    const password = registryPasswords[passwordName(host)];
    return password === undefined ? [] : [[host, password] as const];
  });
  return { passwords: Object.fromEntries(passwords), token };
}

function portainerOf({ portainer }: NodeConfig, configuration: Configuration): Access {
  const { portainerApiKey: apiKey } = configuration;
  if (!portainer?.environment) throw new Error("portainer.environment is not declared");
  if (!apiKey) throw new Error("the stack's secret portainerApiKey cannot be read");
  const { url, fingerprint, caCertificate } = portainer.environment;
  return { url, apiKey, fingerprint, caCertificate };
}

function nodeOf(name: string, { nodes }: Settings): NodeConfig {
  const node = nodes[name];
  if (!node) throw new Error(`node ${name}; allowed: ${Object.keys(nodes).join(", ")}`);
  return node;
}

function shellOf(name: string, { settings, published, configuration, ssh }: Known): NodeShell {
  const node = nodeOf(name, settings);
  const hostKey = node.ssh.hostKey ?? published[name]?.hostKey;
  if (!hostKey) throw new Error(describeNoHostKey(name, configuration));
  return sshShell(node, hostKey, ssh);
}

function describeNoHostKey(name: string, { sealed }: Configuration): string {
  const reason = sealed
    ? `the stack's outputs cannot be read (${sealed})`
    : "the stack was never brought up";
  return `node ${name}: its host key is not known, since ${reason}; declare nodes.${name}.ssh.hostKey`;
}
