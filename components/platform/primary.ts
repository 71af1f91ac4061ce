import * as pulumi from "@pulumi/pulumi";
import { primaryOf } from "../../config/node";
import type { NodeConfig } from "../../config/schema";
import type { DockerHost } from "../docker/docker-host";
import { bound } from "../../node/steps";
import { runNodeScript } from "../docker/node-script";

/** The primary node as this one sees it, as of the last time the check ran. */
export interface PrimaryOutputs {
  address: string;
  port: number;
  /** Whether the primary accepted a connection. */
  reachable: pulumi.Output<boolean>;
  /** When it was asked, ISO 8601. */
  checkedAt: pulumi.Output<string>;
}

export interface PrimaryCheckArgs {
  /** The node, as configured. */
  node: NodeConfig;
  dockerHost: DockerHost;
  /** The machine it is asked from. */
  machine: pulumi.Resource;
}

/**
 * Asks from the node whether its primary answers: at creation and when the primary, the script or the machine
 * changes, since an unchanged `up` changes nothing. A primary that is down fails nothing.
 */
export function checkPrimary(
  name: string,
  { node, dockerHost, machine }: PrimaryCheckArgs,
  opts: pulumi.CustomResourceOptions,
): PrimaryOutputs | undefined {
  const primary = primaryOf(node);
  if (!primary) return undefined;
  const { connection } = dockerHost;
  const variables = { PRIMARY_ADDRESS: primary.host, PRIMARY_PORT: primary.port };
  const script = { ...bound("reachability", variables, 120), connection, machine };
  const { stdout } = runNodeScript(`${name}-primary`, script, { ...opts, dependsOn: [dockerHost] });
  const answer = stdout.apply(
    (text) => JSON.parse(text) as { reachable: boolean; checkedAt: string },
  );
  const { host: address, port } = primary;
  return { address, port, reachable: answer.reachable, checkedAt: answer.checkedAt };
}
