/** Gathers the context of the checks. */
import { readConfiguration, type Configuration } from "../../clients/pulumi/configuration";
import { connect } from "../../clients/proxmox";
import { probe } from "../../clients/network";
import { makeRunner, type Run } from "../../clients/process";
import { ROOT, readManifest } from "../project";
import type { Context } from "./types";

const REGISTRY_LIMIT_MS = 5_000;

export interface Options {
  readonly stack: string;
  /** Directory of the Pulumi project. Default: the repository. */
  readonly cwd?: string;
}

/** Reads the configuration and the state, before the first check. */
export async function gather({ stack, cwd = ROOT }: Options): Promise<Context> {
  const run = makeRunner(cwd);
  const configuration = await readConfiguration(run, stack, cwd);
  return {
    stack,
    nodeVersion: process.versions.node,
    environment: process.env,
    manifest: readManifest(),
    configuration,
    managed: configuration.sealed ? new Set() : await findManagedVms(run, stack),
    cluster: clusterOf(configuration),
    run,
    probe,
    now: new Date(),
    patience: REGISTRY_LIMIT_MS,
  };
}

function clusterOf({ settings, apiToken }: Configuration): Context["cluster"] {
  return settings && apiToken ? connect({ ...settings.proxmox, apiToken }) : undefined;
}

interface Exported {
  readonly deployment?: {
    readonly resources?: readonly { type: string; outputs?: { vmId?: unknown } }[];
  };
}

/** Returns the VM ids in the stack's state; none for a stack that was never brought up. */
export async function findManagedVms(run: Run, stack: string): Promise<Set<number>> {
  const { code, stdout } = await run("pulumi", ["stack", "export", "--stack", stack]);
  if (code !== 0) return new Set();
  const { deployment } = JSON.parse(stdout) as Exported;
  const vms = (deployment?.resources ?? []).filter(({ type }) => type.endsWith(":VmLegacy"));
  return new Set(vms.map(({ outputs }) => Number(outputs?.vmId)));
}
