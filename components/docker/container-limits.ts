import type * as command from "@pulumi/command";
import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { bind } from "../../node/steps";
import { QUEUE_SECONDS } from "../../node/workload-steps";
import { runNodeScript, type Repairs } from "./node-script";
import { nameResource, PART } from "../../config/names";

/**
 * Processes, threads among them, that a container of the program may have at once. More than it ever has, and far less than
 * the node can.
 */
const PROCESSES = 1024;

/** Where a container runs whose processes are limited. */
export interface LimitArgs {
  /** The machine whose Docker runs it. */
  machine: pulumi.Resource;
  /** SSH to the node. */
  connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  /** What makes it run again, to repair the node. */
  repairs?: Repairs;
}

/** Seconds the step may take: of a container outside the user namespace it reads the whole image (node/container-seal.sh). */
const SECONDS = 600;

/**
 * Limits a container's processes, for which the provider has no word, and seals it if it is outside the user namespace; again for
 * each new container. Returns the step that does.
 */
export function limitProcesses(
  name: string,
  container: docker.Container,
  { machine, connection, repairs }: LimitArgs,
  parent: pulumi.Resource,
  processes = PROCESSES,
): command.remote.Command {
  const {
    script,
    timeout,
    variables: limits,
  } = bind("container-limits", {}, SECONDS, {
    wait: QUEUE_SECONDS,
  });
  const variables = container.id.apply((id) => ({
    ...limits,
    CONTAINER: id,
    PROCESSES: processes,
  }));
  const step = { script, variables, timeout, connection, machine, repairs };
  return runNodeScript(nameResource(name, PART.limits), step, { parent });
}
