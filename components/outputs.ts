import * as pulumi from "@pulumi/pulumi";
import { addressOfNode, agentUrl, dockerHostUrl } from "../config/node";
import type { NodeConfig } from "../config/schema";
import type { ContainerNetworks } from "./container-networks";
import type { DockerEngine } from "./docker-engine";
import type { VirtualMachine } from "./virtual-machine";

/** What a node tells other stacks. Everything but ids and facts is known before the node exists. */
export interface NodeOutputs {
  /** VM id in Proxmox VE. */
  vmId: pulumi.Output<number>;
  /** IPv4 address, without prefix length. */
  address: string;
  sshUser: string;
  /** URL for `DOCKER_HOST` or a Docker provider. */
  dockerHost: string;
  /** SSH host key, `type base64`, to pin. */
  hostKey: pulumi.Output<string>;
  /** URL of the Portainer agent, if there is one. Its certificate is self-signed. */
  agentUrl?: string;
  /** Docker networks: id and subnet by name. */
  networks: Record<string, { id: pulumi.Output<string>; driver: string; subnet: string }>;
  /** Named volumes declared for the node. */
  volumes: string[];
  /** Docker release that runs. */
  engineVersion: pulumi.Output<string>;
  /** API version of the daemon. */
  apiVersion: pulumi.Output<string>;
}

/** Puts a node's outputs together. */
export function describe(
  node: NodeConfig,
  machine: VirtualMachine,
  engine: DockerEngine,
  networks: ContainerNetworks,
): NodeOutputs {
  return {
    vmId: machine.vmId,
    address: addressOfNode(node),
    sshUser: node.ssh.user,
    dockerHost: dockerHostUrl(node),
    hostKey: engine.hostKey,
    agentUrl: agentUrl(node),
    networks: Object.fromEntries(
      Object.entries(node.networks).map(([name, { driver, subnet }]) => [
        name,
        { id: networks.ids[name] ?? pulumi.output(""), driver, subnet },
      ]),
    ),
    volumes: Object.keys(node.volumes),
    engineVersion: engine.facts.serverVersion,
    apiVersion: engine.facts.apiVersion,
  };
}
