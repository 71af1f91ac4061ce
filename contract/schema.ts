import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/*
 * What this stack publishes for other stacks. The types here, docs/reference/outputs.md and the check a consumer makes at run
 * time all come from the one schema. Nothing in it is a secret, and nothing secret may be added in the clear.
 */

/**
 * Version of the contract. Raised when an output is removed, renamed, or means something else; a new output
 * leaves it. `npm run docs` refuses a change that needed a new version and has none.
 */
export const CONTRACT = 1;

/** SHA-256 of a certificate, as OpenSSL and Node (`fingerprint256`) write it. */
const fingerprint = z.string().regex(/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/);

const network = z.object({
  id: z.string().describe("Docker's id of the network."),
  driver: z.enum(["bridge", "macvlan"]),
  subnet: z.string().describe("IPv4 network, such as 172.19.0.0/24."),
  gateway: z
    .string()
    .optional()
    .describe("Where containers send what is not for the subnet; none in an internal network."),
});

const monitoringTarget = z.object({
  name: z.string().describe("What is measured: `docker` is the daemon."),
  url: z.string().describe("Where Prometheus reads it."),
});

const backup = z.object({
  schedule: z.string().describe("`HH:MM` daily, or `sun HH:MM` weekly, in the node's time zone."),
  keepDays: z.int().describe("Days a backup is kept."),
});

const primary = z.object({
  address: z.string(),
  port: z.int(),
  reachable: z.boolean().describe("Whether it accepted a connection from this node."),
  checkedAt: z
    .string()
    .describe("When it was asked, ISO 8601; an unchanged `up` does not ask again."),
});

const environment = z.object({
  id: z.int().describe("Its id in Portainer: the `<id>` of `/api/endpoints/<id>`."),
  name: z.string(),
  server: z.string().describe("URL of Portainer."),
});

/** One node. */
export const nodeContract = z.object({
  name: z.string().describe("Name of the node: its host name, and the VM's name in Proxmox VE."),
  vmId: z.int().describe("VM id in Proxmox VE."),
  address: z.string().describe("IPv4 address, without prefix length."),
  sshUser: z.string(),
  dockerHost: z
    .string()
    .describe(
      "URL for `DOCKER_HOST` or a Docker provider; its host may be another than `address`.",
    ),
  hostKey: z.string().describe("SSH host key to pin: type and base64, without comment."),
  agentUrl: z.string().optional().describe("URL of the Portainer agent."),
  agentFingerprint: fingerprint
    .optional()
    .describe("SHA-256 of the agent's self-signed certificate, `AA:BB:…`; see below."),
  portainerEnvironment: environment
    .optional()
    .describe("The node in Portainer, where `portainer.environment` is declared."),
  networks: z.record(z.string(), network).describe("Docker networks by name."),
  volumes: z.array(z.string()).describe("Names of the declared volumes."),
  monitoring: z.array(monitoringTarget).describe("What other machines can scrape."),
  backups: z
    .record(z.string(), backup)
    .optional()
    .describe("What is backed up, and when: `volumes`, `configuration`, `images`, `vm`."),
  primary: primary
    .optional()
    .describe("The primary node as this one saw it, where one is declared."),
  engineVersion: z.string().describe("Docker release that runs."),
  apiVersion: z.string().describe("Newest API version the daemon speaks."),
});

/** All stack outputs. */
export const contract = z.object({
  contract: z.literal(CONTRACT).describe("Version of this contract."),
  nodes: z.record(z.string(), nodeContract).describe("Nodes by name."),
});

/** Stack outputs as another stack reads them. */
export type Contract = z.infer<typeof contract>;
/** One node's outputs as another stack reads them. */
export type NodeContract = Contract["nodes"][string];

/** The same, while the program runs: any value may still be an output. */
type Producing<T> = T extends boolean
  ? pulumi.Input<boolean>
  : T extends string | number | undefined
    ? pulumi.Input<T>
    : { [Key in keyof T]: Producing<T[Key]> };

/** Stack outputs as the program gives them. */
export type Outputs = Producing<Contract>;
/** One node's outputs as the program gives them. */
export type NodeOutputs = Outputs["nodes"][string];

/**
 * Checks what was read from a stack.
 * @throws RunError naming the stack, and what is wrong: no contract, another version, or the output that does not fit
 */
export function parseContract(stack: string, outputs: Record<keyof Contract, unknown>): Contract {
  const { contract: version } = outputs;
  if (version === undefined) {
    throw new pulumi.RunError(
      `${stack}: has no output "contract"; allowed: a stack of docker-node, brought up with a release that has it`,
    );
  }
  if (version !== CONTRACT) {
    throw new pulumi.RunError(
      `${stack}: its outputs are contract ${JSON.stringify(version)}; allowed: ${CONTRACT}, what this release of docker-node reads`,
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
