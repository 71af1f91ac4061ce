/** What a node says of itself, for the benchmark's checks: node/benchmark/facts.sh. */
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import type { NodeShell } from "../../clients/ssh";
import { WORKLOAD_LABEL } from "../../config/workloads";

const texts = z.array(z.string());

const file = z.object({
  path: z.string(),
  /** The path behind links. */
  real: z.string(),
  type: z.enum(["file", "directory", "socket"]),
  mode: z.number(),
  owner: z.string(),
  group: z.string(),
});

const mount = z.looseObject({
  /** Of a volume alone. */
  Name: z.string().optional(),
  Source: z.string().optional(),
  Propagation: z.string().optional(),
});
const port = z.looseObject({ HostIp: z.string().optional(), HostPort: z.string().optional() });

const container = z.looseObject({
  Name: z.string(),
  Image: z.string(),
  AppArmorProfile: z.string().optional(),
  State: z.looseObject({ Health: z.looseObject({}).nullish() }),
  Config: z.looseObject({
    User: z.string().optional(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
  HostConfig: z.looseObject({
    CapAdd: texts.nullish(),
    SecurityOpt: texts.nullish(),
    Devices: z.array(z.unknown()).nullish(),
    Privileged: z.boolean().optional(),
    ReadonlyRootfs: z.boolean().optional(),
    NetworkMode: z.string().optional(),
    PidMode: z.string().optional(),
    IpcMode: z.string().optional(),
    UTSMode: z.string().optional(),
    UsernsMode: z.string().optional(),
    CgroupParent: z.string().optional(),
    Memory: z.number().optional(),
    CpuShares: z.number().optional(),
    NanoCpus: z.number().optional(),
    PidsLimit: z.number().nullish(),
    RestartPolicy: z.looseObject({
      Name: z.string(),
      MaximumRetryCount: z.number().optional(),
    }),
  }),
  NetworkSettings: z.looseObject({
    Ports: z.record(z.string(), z.array(port).nullable()).nullish(),
    Networks: z.record(z.string(), z.unknown()).nullish(),
  }),
  Mounts: z.array(mount).optional(),
});

const image = z.looseObject({
  Id: z.string(),
  RepoTags: texts.nullish(),
  Config: z.looseObject({ Healthcheck: z.looseObject({}).nullish() }).nullish(),
});

const info = z.looseObject({
  Driver: z.string(),
  DockerRootDir: z.string(),
  LoggingDriver: z.string(),
  LiveRestoreEnabled: z.boolean(),
  ExperimentalBuild: z.boolean(),
  SecurityOptions: texts,
  Swarm: z.looseObject({ LocalNodeState: z.string() }),
  Plugins: z.looseObject({ Authorization: texts.nullish() }),
  RegistryConfig: z.looseObject({
    InsecureRegistryCIDRs: texts.nullish(),
    IndexConfigs: z.record(z.string(), z.looseObject({ Secure: z.boolean() })).nullish(),
  }),
});

const facts = z.object({
  /** What dockerd was started with. */
  command: texts,
  /** daemon.json. */
  config: z.record(z.string(), z.unknown()),
  info,
  /** The network `bridge`, on docker0; none where Docker makes none. */
  bridge: z.array(z.looseObject({ Options: z.record(z.string(), z.string()).nullish() })),
  files: z.array(file),
  /** Paths with a rule of the kernel's audit. */
  audited: texts,
  /** Mount points. */
  mounts: texts,
  /** Members of the group `docker`. */
  group: texts,
  contentTrust: z.boolean(),
  /** Those that run. */
  containers: z.array(container),
  images: z.array(image),
  /** Volumes that are a folder of the node by another name (driver options `o=bind`). */
  volumes: z.array(z.object({ name: z.string(), device: z.string() })),
});

export type Facts = z.output<typeof facts>;
export type BenchContainer = Facts["containers"][number];

/** Asks a node. @throws CommandFailed or AnswerError with the reason */
export async function readFacts(shell: NodeShell): Promise<Facts> {
  const answer = await shell.script("benchmark/facts", { LIMIT: 120 });
  return parseJson(facts, answer, "benchmark/facts.sh");
}

/** A setting of dockerd, from its command line or daemon.json; dockerd refuses to have one in both. */
export function settingOf({ command, config }: Facts, key: string): unknown {
  const flag = `--${key}`;
  const at = command.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return config[key];
  const [, value] = (command[at] ?? "").split("=");
  return value ?? true;
}

/** Name of a container, without its slash. Workload containers use the workload's name, because Pulumi renames the container at each change. */
export const nameOf = ({ Name, Config }: Pick<BenchContainer, "Name" | "Config">): string =>
  Config.Labels?.[WORKLOAD_LABEL] ?? Name.replace(/^\//, "");
