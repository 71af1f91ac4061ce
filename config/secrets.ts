import type { Settings } from "./load";
import { loginsOf, passwordName } from "./registries";
import { secretNames } from "./workloads";

/** A secret of the stack's configuration. Messages and documents read its description from here. */
export interface Secret {
  /** Its key, below `docker-node:`. What stands in angle brackets differs from secret to secret. */
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

/** Names of the nodes with a part. */
export const nodesWith = (part: "portainer" | "backups", settings?: Settings): string[] =>
  Object.entries(settings?.nodes ?? {}).flatMap(([name, node]) => (node[part] ? [name] : []));

/** Whether a node has an agent with the next secret. */
const hasNextAgent = (settings?: Settings): boolean =>
  Object.values(settings?.nodes ?? {}).some(({ portainer }) => portainer?.agent.next);

/** Whether a node has an environment in Portainer. */
const isRegistered = (settings?: Settings): boolean =>
  Object.values(settings?.nodes ?? {}).some(({ portainer }) => portainer?.environment);

/** Whether a node's images are scanned with the help of a Trivy server. */
const asksScanner = (settings?: Settings): boolean =>
  Object.values(settings?.nodes ?? {}).some(({ images }) => images?.scan?.server);

/** Hosts of registries with a user. */
export const hostsOf = (settings?: Settings): string[] => [
  ...new Set(
    Object.values(settings?.nodes ?? {}).flatMap((node) => loginsOf(node).map(({ host }) => host)),
  ),
];

/** Names of secrets that workloads use. */
export const workloadSecrets = (settings?: Settings): string[] => [
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
    name: "agentSecretNext",
    meaning: "the AGENT_SECRET that Portainer gets next, 16 characters or more",
    when: "for nodes with `portainer.agent.next`",
    example: "'<new AGENT_SECRET of the Portainer server>'",
    usedBy: "the second Portainer agent, while the secret is rotated",
    minLength: 16,
    needed: (settings) => nameOnce("agentSecretNext", hasNextAgent(settings)),
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
    name: "registryPassword-<host>",
    meaning: "password or access token of the user of a registry; the host's colon is written `_`",
    when: "for registries with `username`",
    example: "'<password>'",
    usedBy: "the Docker provider, which hands it to dockerd with each pull",
    minLength: 1,
    needed: (settings) => hostsOf(settings).map((host) => [passwordName(host)]),
  },
  {
    name: "imageScannerToken",
    meaning: "token of the Trivy server",
    when: "for nodes with `images.scan.server`",
    example: "'<what trivy server --token was given>'",
    usedBy: "Trivy on the workstation",
    minLength: 1,
    needed: (settings) => nameOnce("imageScannerToken", asksScanner(settings)),
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
export type SecretName = (typeof SECRETS)[number]["name"];

/** Returns the entry of a secret. */
export function secretOf(name: SecretName): Secret {
  return SECRETS.find((secret) => secret.name === name) as Secret;
}

/** Whether a text can be told from ordinary words, so that it may be looked for. No secret of this program is shorter. */
export const isTelling = ({ length }: string): boolean => length >= 6;

/** Stands for a secret in a text. */
export const HIDDEN = "[secret]";

/** The command that sets a secret of a stack. */
export const writeCommand = (
  { name, example }: Pick<Secret, "name" | "example">,
  stack: string,
): string => `pulumi config set --secret ${name} ${example} --stack ${stack}`;

/** Hides every secret in a text. The longest one goes first: it may contain a shorter one. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  const known = secrets.filter(isTelling).sort((a, b) => b.length - a.length);
  return known.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), text);
}

/** A pattern for the keys of a secret. */
export const patternOf = ({ name }: Pick<Secret, "name">): string => name.replace(/<.+>/, ".+");
