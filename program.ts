import { readFileSync } from "node:fs";
import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import {
  CloudImage,
  DockerNode,
  createBackupStorage,
  guardRemoval,
  imageKey,
  type BackupSecrets,
} from "./components";
import { loadSettings, type Settings } from "./config/load";
import { homePath } from "./config/node";
import { ConfigError } from "./config/problems";
import type { NodeConfig } from "./config/schema";
import { CONTRACT, type Outputs } from "./outputs";
import { readSecrets, type Secrets } from "./secrets";

/** The whole program: configuration, then the cluster, then its nodes, then what they tell other stacks. */
export function program(): Outputs {
  const config = new pulumi.Config();
  const settings = readSettings(config);
  const keys = readPrivateKeys(settings);
  const secrets = readSecrets(config, settings);
  const cluster = connectProxmox(settings, secrets);
  const images = createImages(settings, cluster);
  const guard = guardRemoval(Object.keys(settings.nodes));
  const storage = createStorage(settings, secrets, cluster);
  const nodes = Object.entries(settings.nodes).map(([name, node]) => {
    const args = {
      node,
      privateKey: pulumi.secret(keys[name] ?? ""),
      imageVolumeId: images.get(imageKey(node.machine) ?? "")?.volumeId,
      guard,
      agentSecret: secrets.agentSecret,
      backupSecrets: backupSecrets(secrets.backups[name], storage),
    };
    const made = new DockerNode(name, args, { providers: { proxmoxve: cluster } });
    return [name, made.outputs] as const;
  });
  return { contract: CONTRACT, nodes: Object.fromEntries(nodes) };
}

function readSettings(config: pulumi.Config): Settings {
  return loadSettings({
    proxmox: config.getObject("proxmox"),
    defaults: config.getObject("defaults"),
    nodes: config.getObject("nodes"),
  });
}

/** One provider for the cluster: it is one API, whatever the number of nodes. */
function connectProxmox({ proxmox: settings }: Settings, secrets: Secrets): proxmox.Provider {
  return new proxmox.Provider("proxmox", {
    endpoint: settings.endpoint,
    insecure: settings.insecure,
    apiToken: secrets.proxmoxApiToken,
  });
}

/** Each image once, however many nodes start from it. */
function createImages(settings: Settings, cluster: proxmox.Provider): Map<string, CloudImage> {
  const images = new Map<string, CloudImage>();
  for (const { machine } of Object.values(settings.nodes)) {
    const key = imageKey(machine);
    const { image, proxmoxNode } = machine;
    if (!key || images.has(key) || !image || !("url" in image)) continue;
    const args = { proxmoxNode, image };
    images.set(key, new CloudImage(key, args, { providers: { proxmoxve: cluster } }));
  }
  return images;
}

/** The backup server as a storage of the cluster, if the stack declares it. */
function createStorage(
  { proxmox: { backupStorage: storage } }: Settings,
  secrets: Secrets,
  provider: proxmox.Provider,
): pulumi.Resource | undefined {
  if (!storage || !secrets.storage) return undefined;
  return createBackupStorage({ storage, ...secrets.storage }, { provider });
}

function backupSecrets(
  secrets: Secrets["backups"][string] | undefined,
  storage: pulumi.Resource | undefined,
): BackupSecrets | undefined {
  return secrets && { ...secrets, storage };
}

/** Private keys are read before anything is touched, so that a missing one is a configuration error. */
function readPrivateKeys({ nodes }: Settings): Record<string, string> {
  const read = ([name, node]: [string, NodeConfig]): [string, string] => {
    const file = node.ssh.privateKeyFile;
    try {
      return [name, readFileSync(homePath(file), "utf8")];
    } catch {
      const path = ["nodes", name, "ssh", "privateKeyFile"];
      throw new ConfigError([
        { path, value: file, allowed: "a readable file with the private key" },
      ]);
    }
  };
  return Object.fromEntries(Object.entries(nodes).map(read));
}
