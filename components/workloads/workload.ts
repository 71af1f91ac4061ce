import type * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { workloadStep } from "../../node/workload-steps";
import { limitProcesses } from "../docker/container-limits";
import type { Images } from "../docker/images";
import { runNodeScript } from "../docker/node-script";
import { REPLACED_FOR } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import { restartPolicy, workloadArgs, type WorkloadParts } from "./container-args";
import { lastChange, writeSecrets, type WorkloadSecretsArgs } from "./secrets";
import { nameResource, PART } from "../../config/names";

/** What a workload needs, beside what its container is made from. */
export interface WorkloadArgs extends WorkloadParts, WorkloadSecretsArgs {
  /** The images of the node. */
  readonly images: Images;
  /** What has to be there before it: volumes, and workloads that are healthy. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A workload of a node. A change pulls the new image and makes the new container while the earlier one runs. Then one step on
 * the node stops the earlier one, starts the new one and waits until it is healthy. If it does not get healthy, the step
 * starts the earlier one again and fails. Pulumi removes the earlier one last.
 */
export class Workload extends pulumi.ComponentResource {
  /** The step that ends when the workload is healthy. */
  readonly running: command.remote.Command;

  constructor(name: string, args: WorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:Workload", name, {}, opts);
    const { config, images, workload } = args;
    const image = images.pullImage(nameResource(name, "image"), config.image, workload, this);
    const secrets = writeSecrets(name, args, this);
    const dependsOn = [...args.after, ...(secrets ? [secrets] : [])];
    const first = images.pulled.then((all) => [...all, ...dependsOn]);
    const container = createContainer(name, args, image, { parent: this, dependsOn: first });
    this.running = start(name, args, container, secrets, { parent: this, dependsOn });
    this.registerOutputs({ containerId: container.id });
  }
}

function createContainer(
  name: string,
  args: WorkloadArgs,
  { imageId }: docker.RemoteImage,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  return new docker.Container(name, workloadArgs(args, imageId), {
    ...opts,
    // The provider would say that it has changed these, and do nothing.
    replaceOnChanges: [...REPLACED_FOR, "cpuPeriod", "cpuQuota", "tmpfs"],
    ...livesOn(args.machine),
  });
}

function start(
  name: string,
  { workload, config, dockerHost, machine, repairs }: WorkloadArgs,
  container: docker.Container,
  secrets: command.remote.Command | undefined,
  opts: { parent: pulumi.Resource; dependsOn: pulumi.Resource[] },
): command.remote.Command {
  const { processes } = config.limits;
  const place = { machine, connection: dockerHost.connection, repairs };
  const limits = limitProcesses(name, container, place, opts.parent, processes);
  const step = workloadStep(workload, config);
  const variables = pulumi.all([container.id, lastChange(secrets)]).apply(([id, changed]) => ({
    ...step.variables,
    CONTAINER: id,
    RESTART: restartPolicy(config),
    SECRETS_WRITTEN: changed,
  }));
  const dependsOn = [...opts.dependsOn, limits];
  return runNodeScript(
    nameResource(name, PART.run),
    { ...step, variables, ...place },
    { ...opts, dependsOn },
  );
}
