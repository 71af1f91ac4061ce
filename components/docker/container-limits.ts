import type * as command from "@pulumi/command";
import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { bind } from "../../node/steps";
import { queueSeconds } from "../../node/workload-steps";
import { runNodeScript, type Repairs } from "./node-script";

/**
 * Processes, threads among them, that a container of the program may have at once. More than it ever has, and far less than
 * the node can.
 */
const PROCESSES = 1024;

export interface LimitArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** The machine whose Docker runs it. */
  machine: pulumi.Resource;
  /** SSH to the node. */
  connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  /** What makes it run again, to repair the node. */
  repairs?: Repairs;
}

/** Seconds the step may take: of a container outside the user namespace it reads the whole image (node/container-seal.sh). */
const SECONDS = 600;

/** Seconds it may have to wait for other runs than those of workloads. */
const WAIT_SECONDS = 1800;

/**
 * Limits a container's processes, for which the provider has no word, and seals it if it is outside the user namespace; again for
 * each new container. Returns the step that does.
 */
export function limitProcesses(
  name: string,
  container: docker.Container,
  { node, machine, connection, repairs }: LimitArgs,
  parent: pulumi.Resource,
  processes = PROCESSES,
): command.remote.Command {
  const {
    script,
    timeout,
    variables: limits,
  } = bind("container-limits", {}, SECONDS, {
    wait: Math.max(WAIT_SECONDS, queueSeconds(node)),
  });
  const variables = container.id.apply((id) => ({
    ...limits,
    CONTAINER: id,
    PROCESSES: processes,
  }));
  const step = { script, variables, timeout, connection, machine, repairs };
  return runNodeScript(`${name}-limits`, step, { parent });
}
