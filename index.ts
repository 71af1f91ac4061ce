import * as pulumi from "@pulumi/pulumi";
import { DockerNode, guardRemoval } from "./components";
import { readCompose } from "./clients/compose";
import { warnOfCluster } from "./clients/pulumi/cluster";
import { learnNodes } from "./clients/pulumi/known";
import { refuseMoves, tellPlacements } from "./clients/pulumi/placements";
import { refuseHaste } from "./clients/pulumi/rotation";
import { tellRefusals } from "./clients/pulumi/refusals";
import { replaceMark } from "./clients/pulumi/running";
import { findOpenSsh } from "./clients/openssh";
import { makeRunner } from "./clients/process";
import { findStaleAgent, UNSET_AGENT } from "./clients/ssh-agent";
import { connectProxmox, createImages, createStorage } from "./components/cluster";
import { loadSettings, type Settings } from "./config/load";
import { targetGroups } from "./components/outputs";
import { readPrivateKeys } from "./config/private-keys";
import { readSecrets, type Secrets } from "./config/secret-values";
import { namesIn, rawSettings } from "./config/stack-keys";
import { warnOfEnding } from "./config/waivers/days";
import { CONTRACT, type Outputs } from "./contract/schema";

/**
 * The whole program: configuration, then the cluster, then its nodes. Returns the stack outputs, see
 * docs/reference/outputs.md. Pulumi calls it; the lab calls it too, once for each operation.
 * @throws ConfigError or RunError before anything is touched
 */
async function runStack(): Promise<Outputs> {
  const config = new pulumi.Config();
  const settings = await readSettings(config);
  const keys = readPrivateKeys(settings);
  const secrets = readSecrets(config, settings);
  const known = await lookAround(settings, secrets);

  const proxmoxve = connectProxmox(settings, secrets);
  const images = createImages(settings, known, proxmoxve);
  const storage = createStorage(settings, secrets, proxmoxve);
  const shared = shareAmongNodes(settings, secrets);

  const monitoringTargets = targetGroups(settings.nodes);
  const nodes = Object.entries(settings.nodes).map(([name, node]) => {
    const backups = secrets.backups[name];
    const args = {
      ...{ node, ...shared, ...known[name] },
      privateKey: pulumi.secret(keys[name] ?? ""),
      imageVolumeId: images.get(name)?.volumeId,
      backupSecrets: backups && { ...backups, storage },
    };
    const { outputs } = new DockerNode(name, args, { providers: { proxmoxve } });
    tellRefusals(name, node, known[name]?.recorded, outputs.engineVersion);
    return [name, outputs] as const;
  });
  return replaceMark({ contract: CONTRACT, nodes: Object.fromEntries(nodes), monitoringTargets });
}

/** What every node is made with: the rules of the stack, the other nodes, the secrets that it may need. */
function shareAmongNodes(
  { nodes, waivers }: Settings,
  { registries, workloads, ...secrets }: Secrets,
) {
  const { agentSecret, agentSecretNext, portainerApiKey, scannerToken } = secrets;
  return {
    ...{ guard: guardRemoval(Object.keys(nodes)), answering: new Map(), waivers },
    ...{ agentSecret, agentSecretNext, portainerApiKey, scannerToken },
    registryPasswords: registries,
    workloadSecrets: workloads,
  };
}

async function readSettings(config: pulumi.Config): Promise<Settings> {
  const raw = rawSettings((key) => config.getObject(key));
  const now = new Date();
  const names = namesIn(config.name, Object.keys(pulumi.runtime.allConfig()));
  const settings = loadSettings(raw, names, now, await readCompose(raw.compose));
  for (const line of warnOfEnding(settings.waivers, now)) void pulumi.log.warn(line);
  return settings;
}

/** What is known of the nodes; warnings of what changed on them, and of a cluster that does not protect them. */
async function lookAround(settings: Settings, secrets: Secrets): ReturnType<typeof learnNodes> {
  await Promise.all([refuseStaleAgent(), refuseOldSsh()]);
  const known = await learnNodes(settings);
  refuseMoves(settings, known);
  await refuseHaste(settings, known, secrets.agentSecret);
  await tellPlacements(settings, known);
  await warnOfCluster(settings, secrets.proxmoxApiToken, known);
  return known;
}

/** A socket that nobody answers at would stop every script. */
async function refuseStaleAgent(): Promise<void> {
  const complaint = await findStaleAgent();
  if (complaint === undefined) return;
  const value = JSON.stringify(process.env.SSH_AUTH_SOCK);
  throw new pulumi.RunError(
    `SSH_AUTH_SOCK: ${value} does not answer (${complaint}), and no script would reach a node; ` +
      `allowed: the socket of a running ssh-agent, or not set (${UNSET_AGENT})`,
  );
}

/** Scripts would still reach a node, and then no Docker resource would. */
async function refuseOldSsh(): Promise<void> {
  const ssh = await findOpenSsh(makeRunner("."));
  if ("fix" in ssh) throw new pulumi.RunError(`ssh: ${ssh.found}; ${ssh.fix}`);
}

export = runStack;
