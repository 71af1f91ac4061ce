import * as pulumi from "@pulumi/pulumi";
import { DockerNode, guardRemoval, imageKey } from "./components";
import { knownNodes } from "./clients/pulumi/known";
import { connectProxmox, createImages, createStorage } from "./components/cluster";
import { loadSettings, type Settings } from "./config/load";
import { readPrivateKeys } from "./config/private-keys";
import { readSecrets } from "./config/secrets";
import { namesIn, rawSettings } from "./config/stack-keys";
import { endingSoon } from "./config/waivers/days";
import { CONTRACT, type Outputs } from "./contract/schema";

/**
 * The whole program: configuration, then the cluster, then its nodes. Returns the stack outputs, see
 * docs/reference/outputs.md. Pulumi calls it; the lab calls it too, once for each operation.
 * @throws ConfigError or RunError before anything is touched
 */
async function program(): Promise<Outputs> {
  const config = new pulumi.Config();
  const settings = readSettings(config);
  const keys = readPrivateKeys(settings);
  const secrets = readSecrets(config, settings);
  const known = await knownNodes(settings);

  const cluster = connectProxmox(settings, secrets);
  const images = createImages(settings, cluster);
  const storage = createStorage(settings, secrets, cluster);
  const guard = guardRemoval(Object.keys(settings.nodes));

  const nodes = Object.entries(settings.nodes).map(([name, node]) => {
    const backups = secrets.backups[name];
    const args = {
      ...{ node, ...known[name] },
      privateKey: pulumi.secret(keys[name] ?? ""),
      imageVolumeId: images.get(imageKey(node.machine) ?? "")?.volumeId,
      guard,
      agentSecret: secrets.agentSecret,
      backupSecrets: backups && { ...backups, storage },
    };
    const { outputs } = new DockerNode(name, args, { providers: { proxmoxve: cluster } });
    return [name, outputs] as const;
  });
  return { contract: CONTRACT, nodes: Object.fromEntries(nodes) };
}

function readSettings(config: pulumi.Config): Settings {
  const raw = rawSettings((key) => config.getObject(key));
  const now = new Date();
  const settings = loadSettings(
    raw,
    namesIn(config.name, Object.keys(pulumi.runtime.allConfig())),
    now,
  );
  for (const line of endingSoon(settings.waivers, now)) void pulumi.log.warn(line);
  return settings;
}

export = program;
