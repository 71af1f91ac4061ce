import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/*
 * The outputs that this stack publishes for other stacks. The types here, docs/reference/outputs.md and the check that a
 * consumer makes at run time all come from this schema. It holds no secret, and a secret may only be added encrypted.
 */

/**
 * Version of the contract. Raise it when an output is removed, renamed, or changes its meaning; a new output, or a new value
 * of one that has one of several, does not need a new version. `npm run docs` refuses a change that needs a new version and has none.
 */
export const CONTRACT = 1;

/** SHA-256 of a certificate, as OpenSSL and Node (`fingerprint256`) write it. */
const fingerprint = z.string().regex(/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/);

const network = z.object({
  id: z.string().describe("Docker's id of the network."),
  driver: z.enum(["bridge", "macvlan", "ipvlan"]),
  subnet: z.string().describe("IPv4 network, such as 172.19.0.0/24."),
  gateway: z
    .string()
    .optional()
    .describe("Gateway of its containers; an internal network has none."),
  ipv6: z
    .object({
      subnet: z.string().describe("IPv6 network, such as fd25:28::/64."),
      gateway: z.string().optional().describe("As over IPv4."),
    })
    .optional()
    .describe("What the network has over IPv6, if it is declared."),
});

const monitoringTarget = z.object({
  name: z
    .string()
    .describe(
      "What is measured: `docker` the daemon, `node` the machine, `containers` each container.",
    ),
  url: z.string().describe("Where Prometheus reads it."),
});

const backup = z.object({
  schedule: z
    .string()
    .describe(
      "`HH:MM` daily, or `sun HH:MM` weekly, in the node's time zone; that of `vm` in the Proxmox node's.",
    ),
  keepDays: z.int().describe("Days a backup is kept."),
});

const primary = z.object({
  address: z.string(),
  port: z.int(),
  reachable: z.boolean().describe("Whether it accepted a connection from this node."),
  checkedAt: z
    .string()
    .describe("Time of the check, ISO 8601. An unchanged `up` does not check again."),
});

const environment = z.object({
  id: z.int().describe("Its id in Portainer: the `<id>` of `/api/endpoints/<id>`."),
  name: z.string(),
  server: z.string().describe("URL of Portainer."),
});

const workload = z.object({
  networks: z
    .record(z.string(), z.array(z.string()))
    .describe("Networks it is on, and the names by which others find it there."),
  ports: z
    .array(
      z.object({
        address: z.string().describe("Address of the node."),
        port: z.int().describe("Port of the node."),
        containerPort: z.int(),
        protocol: z.enum(["tcp", "udp"]),
      }),
    )
    .describe("Ports of the node that lead to it."),
});

/** One node. */
export const nodeContract = z.object({
  name: z.string().describe("Name of the node: its host name, and the VM's name in Proxmox VE."),
  vmId: z.int().describe("VM id in Proxmox VE."),
  address: z.string().describe("IPv4 address, without prefix length."),
  ipv6Address: z
    .string()
    .optional()
    .describe("IPv6 address, without prefix length, if `network.ipv6` declares one."),
  sshUser: z.string(),
  dockerHost: z
    .string()
    .describe("URL for `DOCKER_HOST` or a Docker provider. Its host may differ from `address`."),
  hostKey: z.string().describe("SSH host key to pin: type and base64, without comment."),
  agentUrl: z.string().optional().describe("URL of the Portainer agent, if Portainer reaches it."),
  agentFingerprint: fingerprint
    .optional()
    .describe("SHA-256 of the agent's self-signed certificate, `AA:BB:…`; see below."),
  portainerEnvironment: environment
    .optional()
    .describe("The node in Portainer, if `portainer.environment` is declared."),
  networks: z.record(z.string(), network).describe("Docker networks by name."),
  volumes: z.array(z.string()).describe("Names of the declared volumes."),
  workloads: z
    .record(z.string(), workload)
    .optional()
    .describe("Declared workloads by name, if the node has any."),
  monitoring: z.array(monitoringTarget).describe("Metrics that other machines can read."),
  backups: z
    .record(z.string(), backup)
    .optional()
    .describe("What is backed up, and when: `volumes`, `configuration`, `images`, `vm`."),
  primary: primary.optional().describe("The primary node as this one saw it, if one is declared."),
  engineVersion: z.string().describe("Release of the running Docker."),
  apiVersion: z.string().describe("Newest version of the Docker API that the daemon offers."),
});

/** A group of targets as Prometheus reads it from a file (file_sd_config). */
const targetGroup = z.object({
  targets: z.array(z.string()).describe("Address and port."),
  labels: z
    .object({ node: z.string(), measures: z.string() })
    .describe("Name of the node, and what is measured there."),
});

/** All stack outputs. */
export const contract = z.object({
  contract: z.literal(CONTRACT).describe("Version of this contract."),
  nodes: z.record(z.string(), nodeContract).describe("Nodes by name."),
  monitoringTargets: z
    .array(targetGroup)
    .optional()
    .describe(
      "What Prometheus can read, as its file_sd_config takes it; see [Monitor a node](../how-to/monitor-a-node.md).",
    ),
});

/** Stack outputs as another stack reads them. */
export type Contract = z.infer<typeof contract>;
/** One node's outputs as another stack reads them. */
export type NodeContract = Contract["nodes"][string];

/** The same type while the program runs: any value may still be an output. */
type Producing<T> = T extends boolean
  ? pulumi.Input<boolean>
  : T extends string | number | undefined
    ? pulumi.Input<T>
    : { [Key in keyof T]: Producing<T[Key]> };

/** Stack outputs as the program returns them. */
export type Outputs = Producing<Contract>;
/** One node's outputs as the program returns them. */
export type NodeOutputs = Outputs["nodes"][string];

/**
 * Checks the outputs that were read from a stack.
 * @throws RunError that names the stack and the problem: no contract, another version, or an output that does not fit
 */
export function parseContract(
  stack: string,
  outputs: Readonly<Partial<Record<keyof Contract, unknown>>>,
): Contract {
  const { contract: version } = outputs;
  if (version === undefined) {
    throw new pulumi.RunError(
      `${stack}: has no output "contract"; allowed: a stack of docker-node, brought up with a release that has this output`,
    );
  }
  if (version !== CONTRACT) {
    throw new pulumi.RunError(
      `${stack}: its outputs are contract ${JSON.stringify(version)}; allowed: ${CONTRACT}, which this release of docker-node reads`,
    );
  }
  const result = contract.safeParse(outputs);
  if (!result.success) {
    throw new pulumi.RunError(
      `${stack}: outputs break contract ${CONTRACT}\n${z.prettifyError(result.error)}`,
    );
  }
  return result.data;
}
