/** Runs the program with the real Pulumi, through Pulumi's Automation API. */
import * as fs from "node:fs";
import * as path from "node:path";
import {
  LocalWorkspace,
  PulumiCommand,
  type InlineProgramArgs,
  type Stack,
} from "@pulumi/pulumi/automation";
import { parse, stringify } from "yaml";
import { readCompose } from "../../clients/compose";
import { terminal } from "../../commands/terminal";
import { loadSettings, type RawSettings } from "../../config/load";
import type { Tree } from "../../config/tree";
import runStack from "../../index";
import { configMap, labConfig } from "./config";
import { ROOT } from "./instance";
import { pulumiEnv } from "./pulumi";
import type { Lab } from "./services";

/** Whether Pulumi shows colours on this terminal. */
export const chooseColour = (): "always" | "never" => (terminal.colour ? "always" : "never");

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
  const composed = await readCompose(config.compose, ROOT);
  loadSettings(config as unknown as RawSettings, undefined, undefined, composed);
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
