/** A node that is validated, with access to everything that a row needs. */
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import { connect, type Portainer } from "../../clients/portainer";
import { messageOf } from "../../clients/failure";
import { accessFrom, type Access } from "../../clients/portainer-call";
import type { NodeShell } from "../../clients/ssh";
import { scanRequests } from "../../config/image-scan";
import { agentUrl } from "../../config/portainer";
import type { NodeConfig } from "../../config/schema";
import type { ScriptName, ShellVariables } from "../../node/scripts";
import type { Row as BackupRow } from "../backups/evidence";
import { survey } from "../backups/survey";
import type { Result as Check } from "../benchmark/judge";
import { judgeNode } from "../benchmark/node";
import { scanAll, type Result as Scan } from "../image-scan/scan";
import type { Plan } from "../plan/model";
import { takeInventory, type Inventory } from "../site/inventory";
import { listeningSchema } from "../site/listening";
import type { Opened } from "../site/open";

const info = z.looseObject({
  ServerVersion: z.string(),
  OperatingSystem: z.string(),
  KernelVersion: z.string(),
  NCPU: z.number(),
  MemTotal: z.number(),
  Driver: z.string(),
  LoggingDriver: z.string(),
  LiveRestoreEnabled: z.boolean(),
});
const load = z.object({
  cpu: z.number(),
  memory: z.number(),
  processors: z.number(),
  memoryMiB: z.number(),
  seconds: z.number(),
});
const latency = z.object({
  rounds: z.number(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  max: z.number(),
  /** The address that the other container's name stands for. */
  asked: z.string(),
  address: z.string(),
});
const reach = z.object({
  listening: listeningSchema,
  agent: z.number().nullable(),
  /** Packages that need a reboot; null where none is needed. */
  reboot: z.array(z.string()).nullable(),
});

/** `docker info`, as far as it is read. */
export type DockerInfo = z.output<typeof info>;
/** Load of the node in percent, measured for `seconds` (node/validation/load.sh). */
export type Load = z.output<typeof load>;
/** Milliseconds that one byte takes there and back (node/validation/latency.sh). */
export type Latency = z.output<typeof latency>;
/** Ports that listen, the status that the agent answers with, and whether a reboot is due (node/validation/reach.sh). */
export type Reach = z.output<typeof reach>;

/** A node with its measurements. One that several rows share is made once. */
export interface Subject {
  readonly name: string;
  readonly node: NodeConfig;
  /** All nodes of the stack. */
  readonly nodes: Readonly<Record<string, NodeConfig>>;
  /** Runs a script of `node/validation` on a node of the stack; default: this one. */
  readonly script: <T extends z.ZodType>(
    schema: T,
    name: ScriptName,
    variables?: ShellVariables,
    node?: string,
  ) => Promise<z.output<T>>;
  /** `docker info`. */
  readonly info: () => Promise<DockerInfo>;
  readonly inventory: () => Promise<Inventory>;
  readonly load: () => Promise<Load>;
  readonly latency: () => Promise<Latency>;
  readonly reach: () => Promise<Reach>;
  readonly backups: () => Promise<readonly BackupRow[]>;
  /** The checks of the benchmark, with their waivers. */
  readonly benchmark: () => Promise<readonly Check[]>;
  /** Of the whole stack. */
  readonly drift: () => Promise<Plan>;
  /** Scans of the images that the node declares. */
  readonly scans: () => Promise<readonly Scan[]>;
  /** @throws Error when neither the environment nor the stack says where it is */
  readonly portainer: () => Portainer;
}

/** What is the same for all nodes of a stack. */
export interface Surroundings {
  readonly opened: Opened;
  readonly drift: () => Promise<Plan>;
  readonly environment: NodeJS.ProcessEnv;
}

/** Seconds a measurement may take on the node. */
const LIMIT = 300;

/** A node to measure. Nothing is measured before a row asks. */
export function subjectOf(name: string, node: NodeConfig, around: Surroundings): Subject {
  const { opened, drift } = around;
  const runScript: Subject["script"] = async (schema, file, variables = {}, at = name) =>
    parseJson(schema, await runOn(opened.shell(at), file, variables), `${file}.sh`);
  const limits = node.validation.load;
  const share = { CPU_PERCENT: limits.cpuPercent, MEMORY_PERCENT: limits.memoryPercent };
  const echo = { ACTION: "within", NETWORK: findOpenBridge(node) };
  return {
    ...{ name, node, script: runScript, drift },
    nodes: opened.settings.nodes,
    info: askOnce(() => runScript(info, "recovery/api", { METHOD: "GET", REQUEST_PATH: "/info" })),
    inventory: askOnce(async () => takeInventory(opened.shell(name))),
    load: askOnce(() => runScript(load, "validation/load", share)),
    latency: askOnce(() => runScript(latency, "validation/latency", echo)),
    reach: askOnce(() => runScript(reach, "validation/reach", { AGENT_URL: agentUrl(node) })),
    backups: askOnce(async () => survey(opened.site(name))),
    benchmark: askOnce(async () => judgeNode(name, opened)),
    scans: askOnce(() =>
      scanAll(scanRequests(name, node, opened.settings.waivers), opened.scanSecrets(name)),
    ),
    portainer: () => connect(accessTo(name, around)),
  };
}

/** The environment's access to Portainer, else the stack's: the caller's token may see less. */
function accessTo(name: string, { opened, environment }: Surroundings): Access {
  if (environment["PORTAINER_URL"] || environment["PORTAINER_API_KEY"])
    return accessFrom(environment);
  try {
    return opened.portainer(name);
  } catch (error) {
    throw new Error(`PORTAINER_URL is not set, and ${messageOf(error)}`, { cause: error });
  }
}

/** What node/validation/latency.sh prints. */
export const LATENCY = latency;

/** Runs a script with limits: it ends itself, and waits for another measurement no longer than that may take. */
const runOn = (shell: NodeShell, name: ScriptName, variables: ShellVariables): Promise<string> =>
  shell.script(name, { LIMIT, LOCK_TIMEOUT: LIMIT, ...variables });

/** The first declared network whose containers reach one another. */
const findOpenBridge = ({ networks }: NodeConfig): string | undefined =>
  Object.entries(networks).find(([, one]) => one.driver === "bridge" && !one.isolated)?.[0];

/** Asks once, and keeps the answer or the error. */
export function askOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= ask());
}
