import { z } from "zod";
import { absolutePath } from "../daemon/values";
import { hostName } from "../text";
import { address, dockerName, hostLabel, pinnedImage, port, variable } from "./fields";
import { placeSchema } from "./placement";

/* A workload: a container that a node runs for its users. Every field has the strictest default that there is. */

const argument = z.string().min(1);

/** Numbers, because the image is not there when its names would have to be looked up. */
const user = z.string().regex(/^\d{1,5}(:\d{1,5})?$/, {
  error: 'a user id, or user and group id, such as "65534:65534"',
});

const network = z.strictObject({
  aliases: z
    .array(hostLabel)
    .default([])
    .describe("Names by which others on the network find it, in addition to its own."),
});

const publishedPort = z.strictObject({
  port: port.describe("Port on the node."),
  containerPort: port.describe("Port in the container."),
  address: address
    .optional()
    .describe("Address of the node that the port is on: its own or 127.0.0.1. Default: its own."),
  protocol: z.enum(["tcp", "udp"]).default("tcp"),
});

const path = absolutePath.describe("Path in the container.");

const volume = z.strictObject({ path, readOnly: z.boolean().default(false) });

const bind = z.strictObject({
  source: absolutePath.describe("Path on the node. It has to exist."),
  path,
  readOnly: z.boolean().default(true),
});

const tmpfs = z.strictObject({ path, sizeMiB: z.int().min(1).max(65536).default(64) });

const limits = z.strictObject({
  memoryMiB: z.int().min(6).max(4194304).default(256).describe("Memory; there is no swap."),
  cpus: z.number().min(0.05).max(128).multipleOf(0.05).default(1).describe("Processors."),
  processes: z.int().min(1).max(4194304).default(256).describe("Processes, threads among them."),
});

const healthCheck = z.strictObject({
  command: z
    .array(argument)
    .min(1)
    .describe("Program in the container and its arguments. Status 0 means healthy."),
  intervalSeconds: z.int().min(1).max(3600).default(30),
  timeoutSeconds: z.int().min(1).max(600).default(10),
  startPeriodSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(0)
    .describe("Failures do not count for so long after a start."),
  retries: z.int().min(1).max(100).default(3).describe("Failures in a row that mean unhealthy."),
});

const fileName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/, {
  error: "a file's name: letters, digits, _ . -, at most 100 of them, no . or - first",
});

/** Name of a capability, as capabilities(7) has it, without CAP_. */
const capability = z.string().regex(/^(?!CAP_|ALL$)[A-Z]+(_[A-Z]+)*$/, {
  error: "a capability without CAP_, such as NET_BIND_SERVICE; ALL is none",
});

const mounts = {
  volumes: z
    .record(dockerName, volume)
    .default({})
    .describe("Volumes that are declared under `volumes` of the node, by name."),
  binds: z.array(bind).default([]).describe("Files and folders of the node."),
  tmpfs: z
    .array(tmpfs)
    .default([{ path: "/tmp", sizeMiB: 64 }])
    .describe("Folders in memory."),
  secrets: z
    .record(fileName, hostLabel)
    .default({})
    .describe(
      "Secrets, by name of the file in `/run/secrets`: `db: web-db` is the stack's secret `workloadSecret-web-db`.",
    ),
};

const names = {
  reaches: z
    .array(hostLabel)
    .default([])
    .describe(
      "Workloads of any node that it finds as `<workload>.internal`: at the address of each node that runs one, on its published ports.",
    ),
  hosts: z
    .record(hostName, z.array(address).min(1))
    .default({})
    .describe("Further names that it finds, with their addresses."),
};

const confinement = {
  user: user
    .default("65534:65534")
    .describe("Ids of its user and group in the container. Default: nobody."),
  capabilities: z.array(capability).default([]).describe("Capabilities it keeps. Default: none."),
  readOnlyRoot: z.boolean().default(true).describe("It cannot write into its image's files."),
  limits: limits.prefault({}),
};

const life = {
  healthCheck: healthCheck
    .optional()
    .describe("Default: the image's. Without either, it is ready when it keeps running."),
  restart: z
    .enum(["unless-stopped", "always", "on-failure", "no"])
    .default("unless-stopped")
    .describe("What Docker does when it ends. `on-failure` tries five times."),
  readySeconds: z
    .int()
    .min(10)
    .max(3600)
    .default(120)
    .describe("Seconds it has to get healthy after a change, before the earlier one comes back."),
  stopSeconds: z
    .int()
    .min(1)
    .max(300)
    .default(10)
    .describe("Seconds it has to end when it is stopped."),
  dependsOn: z
    .array(hostLabel)
    .default([])
    .describe("Workloads of the node that have to be healthy before it starts."),
};

/** One of `workloads`. */
const workloadSchema = z.strictObject({
  image: pinnedImage,
  command: z.array(argument).optional().describe("Arguments. Default: the image's."),
  entrypoint: z.array(argument).optional().describe("Program. Default: the image's."),
  networks: z
    .record(dockerName, network)
    .default({})
    .describe("Networks of the node. Default: none, not even docker0."),
  ports: z.array(publishedPort).default([]).describe("Ports of the node that lead to it."),
  ...names,
  ...mounts,
  env: z
    .record(variable, z.string())
    .default({})
    .describe("Variables. Not for secrets: `docker inspect` shows them."),
  ...confinement,
  labels: z.record(argument, z.string()).default({}),
  ...life,
});

/** `workloads` of a node, by name. */
export const workloadsSchema = z.record(hostLabel, workloadSchema);

/** `docker-node:workloads`, by name: the program chooses their nodes. */
export const stackWorkloadsSchema = z.record(
  hostLabel,
  workloadSchema.extend({
    place: placeSchema.prefault({}).describe("Where it runs. Default: on one node of the stack."),
  }),
);
