import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "./load";

/** Secrets of the stack's configuration, encrypted wherever they go. */
export interface Secrets {
  proxmoxApiToken: pulumi.Output<string>;
  /** AGENT_SECRET of Portainer; only where a node has an agent. */
  agentSecret?: pulumi.Output<string>;
  /** By node; only of nodes with backups. A node may have a token of its own, the encryption key is the stack's. */
  backups: Readonly<Record<string, { token: pulumi.Output<string>; key: pulumi.Output<string> }>>;
  /** For the storage of the cluster; only where the stack declares it. */
  storage?: { token: pulumi.Output<string>; key?: pulumi.Output<string> };
}

/**
 * Reads every secret the settings call for, before anything is touched.
 * @throws RunError that names all that are missing, and how each is set
 */
export function readSecrets(config: pulumi.Config, { proxmox, nodes }: Settings): Secrets {
  const reader = new Reader(config);
  const withBackups = Object.entries(nodes).filter(([, { backups }]) => backups);
  const agents = Object.values(nodes).some(({ portainer }) => portainer);
  const secrets = {
    proxmoxApiToken: reader.need("proxmoxApiToken"),
    agentSecret: agents ? reader.need("agentSecret", 16) : undefined,
    backups: Object.fromEntries(
      withBackups.map(([name]) => {
        const own = config.getSecret(`backupToken-${name}`);
        return [name, { token: own ?? reader.need("backupToken"), key: reader.need("backupKey") }];
      }),
    ),
    storage: proxmox.backupStorage && {
      token: reader.need("pbsStorageToken"),
      key: config.getSecret("pbsStorageKey"),
    },
  };
  reader.finish();
  return secrets;
}

class Reader {
  private readonly missing = new Set<string>();

  constructor(private readonly config: pulumi.Config) {}

  need(key: string, minLength = 1): pulumi.Output<string> {
    const value = this.config.getSecret(key, { minLength });
    if (!value) this.missing.add(key);
    return value ?? pulumi.secret("");
  }

  finish(): void {
    if (this.missing.size === 0) return;
    const commands = [...this.missing].map((key) => `  pulumi config set --secret ${key} <value>`);
    throw new pulumi.RunError(
      ["secrets are missing; nothing was changed:", ...commands].join("\n"),
    );
  }
}
