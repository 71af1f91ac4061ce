import * as pulumi from "@pulumi/pulumi";
import { primaryOf } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import { nameResource } from "../../config/names";
import type { DockerHost } from "../docker/docker-host";
import { bind } from "../../node/steps";
import { runNodeScript } from "../docker/node-script";

/** The primary node as this one saw it when the check last ran. */
export interface PrimaryOutputs {
  address: string;
  port: number;
  /** Whether the primary accepted a connection. */
  reachable: pulumi.Output<boolean>;
  /** Time of the check, ISO 8601. */
  checkedAt: pulumi.Output<string>;
}

/** What answers at a port of each node of the stack, by address. Nodes enter themselves as they are declared. */
export type Answering = Map<string, (port: number) => pulumi.Resource[]>;

/** The node that asks, and the nodes that may answer. */
export interface PrimaryCheckArgs {
  /** The node, as configured. */
  node: NodeConfig;
  dockerHost: DockerHost;
  /** The machine that runs the check. */
  machine: pulumi.Resource;
  /** Nodes of the stack, of which the primary may be one. */
  answering: Answering;
}

/**
 * Checks from the node whether its primary answers. It runs at creation, and when the primary, the script or the machine
 * changes; an unchanged `up` does not run it again. A primary that does not answer is not an error. One of the same stack is made
 * first; its own check is no part of that, so two nodes may check each other.
 */
export function checkPrimary(
  name: string,
  { node, dockerHost, machine, answering }: PrimaryCheckArgs,
  opts: pulumi.CustomResourceOptions,
): PrimaryOutputs | undefined {
  const primary = primaryOf(node);
  if (!primary) return undefined;
  const { connection } = dockerHost;
  const variables = { PRIMARY_ADDRESS: primary.host, PRIMARY_PORT: primary.port };
  const script = { ...bind("reachability", variables, 120), connection, machine };
  // All nodes are declared in one turn, in any order: the primary is known in the next one.
  const dependsOn = Promise.resolve().then((): pulumi.Resource[] => [
    dockerHost,
    ...(answering.get(primary.host)?.(primary.port) ?? []),
  ]);
  const { stdout } = runNodeScript(nameResource(name, "primary"), script, { ...opts, dependsOn });
  const answer = stdout.apply(
    (text) => JSON.parse(text) as { reachable: boolean; checkedAt: string },
  );
  const { host: address, port } = primary;
  return { address, port, reachable: answer.reachable, checkedAt: answer.checkedAt };
}
