/** The configuration of the lab's stack: Pulumi.lab.yaml, and what is known only while the lab runs. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { ConfigMap } from "@pulumi/pulumi/automation";
import { parse } from "yaml";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import { isTree, type Tree } from "../../config/tree";
import { CADVISOR_CONTAINER, PROXY_CONTAINER } from "../../config/monitoring";
import { isBenchmarkId } from "../../config/waivers/benchmark";
import { isPolicyId, SECRET_IN_ENVIRONMENT } from "../../config/waivers/policies";
import { dayAfter } from "../../config/waivers/days";
import { ROOT, readDeclared } from "./instance";
import type { SeededImage } from "./registry";
import { NETWORK, PBS_PORT, type Lab } from "./services";

/**
 * The stack's configuration. Later parts win: the file, values of this lab, values of its instance, the override. The override's
 * waivers are added to those of a lab.
 */
export function labConfig(lab: Lab, override: Tree = {}): Tree {
  const fromFile = { nodes: stackFile("lab")["docker-node:nodes"] };
  const known = { proxmox: proxmoxConfig(lab), defaults: defaultConfig(lab) };
  const layers = [known, fromFile, readDeclared(lab.instance), override];
  const config = layers.reduce<Tree>(addLayer, {}) as {
    defaults: Tree;
    nodes: Record<string, Tree>;
    waivers?: Tree[];
  };
  for (const [name, node] of Object.entries(config.nodes)) {
    node.ssh = merge(endpointOf(lab, node), node.ssh ?? {});
    if (node.backups) node.backups = merge(backupsConfig(lab, name), node.backups);
  }
  const weakened = labWaivers(config as unknown as RawSettings);
  const { waivers = [] } = config;
  return { ...config, waivers: [...weakened, ...standingWaivers(config), ...waivers] };
}

/** Like `merge`, but null stays where it means that the program takes away its own default. */
function addLayer(base: Tree, over: Tree): Tree {
  const keys = ["defaults", "nodes"].filter((key) => key in over);
  const inherited = keys.map((key) => [key, layOver(base[key], over[key])]);
  return { ...(merge(base, over) as Tree), ...(Object.fromEntries(inherited) as Tree) };
}

function layOver(base: unknown, over: unknown): unknown {
  if (!isTree(base) || !isTree(over)) return over;
  const changed = Object.entries(over).map(([key, value]) => [key, layOver(base[key], value)]);
  return { ...base, ...(Object.fromEntries(changed) as Tree) };
}

function stackFile(stack: string): Tree {
  const text = fs.readFileSync(path.join(ROOT, `Pulumi.${stack}.yaml`), "utf8");
  return (parse(text) as { config: Tree }).config;
}

const OF_CADVISOR: readonly string[] = [CADVISOR_CONTAINER, PROXY_CONTAINER];

/** For checks of the benchmark and policies that a node cannot meet: production's, and what the lab has of its own. */
function standingWaivers({
  defaults,
  nodes,
}: {
  defaults: Tree;
  nodes: Record<string, Tree>;
}): Tree[] {
  const all = Object.values(nodes).map((node) => merge(defaults, node) as Tree);
  const cadvisor = all.some(({ monitoring }) => (monitoring as Tree | undefined)?.cadvisor);
  const agent = all.some(({ portainer }) => portainer);
  return (
    ["prod", "lab"]
      .flatMap((stack) => stackFile(stack)["docker-node:waivers"] as Tree[])
      .filter(({ id }) => isBenchmarkId(String(id)) || isPolicyId(String(id)))
      // A waiver without need is told.
      .filter(({ container }) => cadvisor || !OF_CADVISOR.includes(String(container)))
      .filter(({ id }) => agent || id !== SECRET_IN_ENVIRONMENT)
      // When a stack's own waivers end is no matter of its lab.
      .map((waiver) => ({ ...waiver, expires: dayAfter(new Date(), 365) }))
  );
}

/** Waivers for everything that a lab's configuration weakens. A lab is short-lived, and nobody can reach it. */
export function labWaivers(config: RawSettings, now = new Date()): Tree[] {
  const terms = {
    node: "all",
    reason: "a lab on one machine, made to be thrown away",
    control: "its guests reach only what the lab declares, and nobody reaches them",
    owner: "whoever runs the lab",
    expires: dayAfter(now, 365),
  };
  try {
    loadSettings({ ...config, waivers: [] }, undefined, now);
    return [];
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [];
    const ids = problems.flatMap(({ waiver }) => waiver ?? []);
    return [...new Set(ids)].map((id) => ({ id, ...terms }));
  }
}

function endpointOf(lab: Lab, node: Tree): Tree {
  const { vmId } = (node.machine ?? {}) as { vmId?: number };
  const port = lab.forwards[String(vmId)]?.ssh;
  return port ? { endpoint: { host: "127.0.0.1", port } } : {};
}

/** The cluster, with the lab's backup server as its storage for VMs. */
function proxmoxConfig({ endpoint, pbs }: Lab): Tree {
  const { fingerprint, storageToken } = pbs;
  const store = { id: "pbs01", server: NETWORK.pbs, datastore: "pbs01" };
  const backupStorage = { ...store, username: storageToken.id, fingerprint };
  return { endpoint, insecure: true, backupStorage };
}

/** Values of the lab for a node that declares backups. */
function backupsConfig({ images, pbs }: Lab, node: string): Tree {
  return {
    image: pinnedName(images.backup),
    server: {
      ...{ address: NETWORK.pbs, port: PBS_PORT, datastore: "docker" },
      fingerprint: pbs.fingerprint,
      tokenId: pbs.backupTokens[node]?.id,
      endpoint: { host: "127.0.0.1", port: pbs.port },
    },
  };
}

const REGISTRY = `${NETWORK.registry}:5000`;

/** An image of the lab as a node names it. */
export const pinnedName = ({ repository, tag, digest }: SeededImage): string =>
  `${REGISTRY}/${repository}:${tag}@${digest}`;

function defaultConfig(lab: Lab): Tree {
  return {
    machine: {
      image: { url: lab.imageUrl, sha256: lab.image.sha256, fileName: path.basename(lab.imageUrl) },
    },
    ssh: {
      publicKeys: [lab.credentials.publicKey],
      privateKeyFile: lab.credentials.privateKeyFile,
    },
    engine: {
      distributionMirror: `http://${NETWORK.mirror}/debian`,
      ...dockerMirror(lab),
      // Emulation is some ten times slower than a machine.
      healthTimeoutSeconds: 300,
      daemon: { "insecure-registries": [REGISTRY] },
    },
    images: { registries: [REGISTRY] },
    portainer: {
      agent: { image: pinnedName(lab.images.agent) },
    },
  };
}

/** Docker's repository, signed by the lab, if the lab has one. */
function dockerMirror({ docker }: Lab): Tree {
  if (!docker) return {};
  const mirror = `http://${NETWORK.mirror}/docker/${docker.path}`;
  return { mirror, mirrorKey: docker.fingerprint };
}

/** The configuration in Pulumi's form, with the lab's secrets. */
export function configMap(lab: Lab, config: Tree): ConfigMap {
  const values = Object.entries(config).map(([key, value]) => [
    `docker-node:${key}`,
    { value: JSON.stringify(value) },
  ]);
  return {
    ...(Object.fromEntries(values) as ConfigMap),
    "docker-node:proxmoxApiToken": { value: lab.apiToken, secret: true },
    "docker-node:agentSecret": { value: lab.credentials.agentSecret, secret: true },
    ...backupSecrets(lab),
  };
}

function backupSecrets({ credentials, pbs }: Lab): ConfigMap {
  const tokens = Object.entries(pbs.backupTokens).map(
    ([node, { secret }]) => [`backupToken-${node}`, secret] as const,
  );
  const secrets = [
    ...tokens,
    ["backupKey", credentials.backupKey] as const,
    ["pbsStorageToken", pbs.storageToken.secret] as const,
  ];
  return Object.fromEntries(
    secrets.map(([key, value]) => [`docker-node:${key}`, { value, secret: true }]),
  );
}
