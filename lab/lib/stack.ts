/** Runs the program with the real Pulumi, through Pulumi's Automation API. */
import * as fs from "node:fs";
import * as path from "node:path";
import {
  LocalWorkspace,
  PulumiCommand,
  type ConfigMap,
  type InlineProgramArgs,
  type Stack,
} from "@pulumi/pulumi/automation";
import { parse, stringify } from "yaml";
import { loadSettings, merge, type RawSettings } from "../../config/load";
import { ConfigError } from "../../config/problems";
import { isBenchmarkId } from "../../config/waivers/benchmark";
import { dayAfter } from "../../config/waivers/days";
import runStack from "../../index";
import { pulumiEnv } from "./pulumi";
import { ROOT, readDeclared } from "./instance";
import type { SeededImage } from "./registry";
import { NETWORK, PBS_PORT, type Lab } from "./services";

type Tree = Record<string, unknown>;

/**
 * Opens the stack `lab`: Pulumi.lab.yaml, completed by values that are known only at run time. Its workspace and state
 * belong to the instance, so the repository's own files never change.
 *
 * @param override merged into the configuration, as `{ nodes: { … } }`
 * @param stackName another stack of the same workspace
 */
export async function openStack(lab: Lab, override: Tree = {}, stackName = "lab"): Promise<Stack> {
  // Checked here already, because an error in an inline program also ends this process as an unhandled rejection.
  const config = labConfig(lab, override);
  loadSettings(config as unknown as RawSettings);
  const stack = await selectStack(lab, stackName);
  await stack.setAllConfig(configMap(lab, config));
  return stack;
}

/** Selects a stack of the lab's workspace, with the configuration in its file, if any. */
export function selectStack(lab: Lab, stackName: string): Promise<Stack> {
  return openProject(lab, {
    folder: ROOT,
    workspace: "project",
    projectName: "docker-node",
    stackName,
    program: async () => ({ ...(await runStack()) }),
  });
}

/** A Pulumi project run in the lab's backend, by the lab's Pulumi. */
export interface LabProject extends Omit<InlineProgramArgs, "workDir"> {
  /** Folder with its Pulumi.yaml. */
  folder: string;
  /** Name of its workspace among the instance's files. */
  workspace: string;
}

/** Opens a stack of any project. Its workspace and state are in the lab's instance. */
export async function openProject(
  lab: Lab,
  { folder, workspace, ...inline }: LabProject,
): Promise<Stack> {
  const { stateDir } = lab.instance;
  const workDir = path.join(stateDir, workspace);
  const backend = path.join(stateDir, "pulumi");
  for (const dir of [workDir, backend]) fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(workDir, "Pulumi.yaml"), inlineProject(folder));
  return LocalWorkspace.createOrSelectStack(inline, {
    workDir,
    pulumiHome: lab.pulumi.home,
    pulumiCommand: await PulumiCommand.get({ root: lab.pulumi.root }),
    envVars: stackEnv(lab),
  });
}

/** Reads a folder's Pulumi.yaml without `main`, because the program is inline and its file is not in the workspace. */
function inlineProject(folder: string): string {
  const project = parse(fs.readFileSync(path.join(folder, "Pulumi.yaml"), "utf8")) as Tree;
  return stringify({ ...project, main: undefined });
}

/** Environment of the lab's pulumi: its backend and its passphrase. */
export function stackEnv(lab: Lab): Record<string, string> {
  return {
    ...pulumiEnv(lab.pulumi),
    PULUMI_BACKEND_URL: `file://${path.join(lab.instance.stateDir, "pulumi")}`,
    PULUMI_CONFIG_PASSPHRASE: lab.credentials.passphrase,
  };
}

/** Variables that tell `lab/pulumi-cli.ts` the path of Pulumi's CLI and the project's directory. */
export const CLI_VARIABLE = "DOCKER_NODE_LAB_PULUMI";
export const PROJECT_VARIABLE = "DOCKER_NODE_LAB_PROJECT";
/** Variable that names a module with another program. */
export const PROGRAM_VARIABLE = "DOCKER_NODE_LAB_PROGRAM";

/**
 * Environment for commands in the lab: `pulumi` is the lab's and works on its stack, and the lab's backups can be read. The
 * stack has the configuration of the last `openStack`.
 */
export function cliEnv(lab: Lab): Record<string, string> {
  const { stateDir } = lab.instance;
  const bin = path.join(stateDir, "bin");
  putPulumi(bin);
  return {
    ...stackEnv(lab),
    PULUMI_HOME: lab.pulumi.home,
    PATH: [bin, lab.pbs.clientDir, process.env.PATH ?? ""].join(":"),
    ...restoreEnv(lab),
    [CLI_VARIABLE]: lab.pulumi.cli,
    [PROJECT_VARIABLE]: path.join(stateDir, "project"),
  };
}

/** Puts the lab's `pulumi` into a folder for the PATH. */
export function putPulumi(bin: string): void {
  fs.mkdirSync(bin, { recursive: true });
  const tsx = path.join(ROOT, "node_modules/.bin/tsx");
  const script = `#!/bin/sh\nexec '${tsx}' '${path.join(ROOT, "lab/pulumi-cli.ts")}' "$@"\n`;
  fs.writeFileSync(path.join(bin, "pulumi"), script, { mode: 0o755 });
}

/** Variables that clients/backup-server.ts reads. The key is the encryption key of the lab's nodes. */
function restoreEnv({ pbs: { restoreToken, keyFile } }: Lab): Record<string, string> {
  return {
    PBS_RESTORE_TOKEN_ID: restoreToken.id,
    PBS_RESTORE_TOKEN: restoreToken.secret,
    PBS_RESTORE_KEYFILE: keyFile,
  };
}

/** The stack's configuration. Later parts win: the file, values of this lab, values of its instance, the override. */
export function labConfig(lab: Lab, override: Tree = {}): Tree {
  const fromFile = { nodes: stackFile("lab")["docker-node:nodes"] };
  const known = { proxmox: proxmoxConfig(lab), defaults: defaultConfig(lab) };
  const layers = [known, fromFile, readDeclared(lab.instance), override];
  const config = layers.reduce<unknown>((base, over) => merge(base, over), {}) as {
    nodes: Record<string, Tree>;
  };
  for (const [name, node] of Object.entries(config.nodes)) {
    node.ssh = merge(endpointOf(lab, node), node.ssh ?? {});
    if (node.backups) node.backups = merge(backupsConfig(lab, name), node.backups);
  }
  const weakened = labWaivers(config as unknown as RawSettings);
  return { ...config, waivers: [...weakened, ...benchmarkWaivers()] };
}

function stackFile(stack: string): Tree {
  const text = fs.readFileSync(path.join(ROOT, `Pulumi.${stack}.yaml`), "utf8");
  return (parse(text) as { config: Tree }).config;
}

/** For checks of the benchmark that a node cannot meet: production's, and what the lab has of its own. */
const benchmarkWaivers = (): Tree[] =>
  ["prod", "lab"]
    .flatMap((stack) => stackFile(stack)["docker-node:waivers"] as Tree[])
    .filter(({ id }) => isBenchmarkId(String(id)))
    // When a stack's own waivers end is no matter of its lab.
    .map((waiver) => ({ ...waiver, expires: dayAfter(new Date(), 365) }));

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

const pinnedName = ({ repository, tag, digest }: SeededImage): string =>
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
    portainer: {
      agent: { image: pinnedName(lab.images.agent) },
    },
    validation: { maxLatencyMs: 100, minIops: 100, maxCpuPercent: 95 },
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
