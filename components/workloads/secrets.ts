import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { WorkloadConfig } from "../../config/schema";
import { userIdOf } from "../../config/workloads";
import { nameResource, PART } from "../../config/names";
import { SECRETS_FOLDER } from "../../config/node-paths";
import { workloadSecretsStep } from "../../node/workload-steps";
import type { DockerHost } from "../docker/docker-host";
import { deletePath, runNodeScript, type Repairs } from "../docker/node-script";

/** A workload, and where its secrets come from and go to. */
export interface WorkloadSecretsArgs {
  /** Name of the workload. */
  readonly workload: string;
  /** The workload, as configured. */
  readonly config: WorkloadConfig;
  /** Secrets of the stack, by name. */
  readonly secrets: Readonly<Record<string, pulumi.Input<string>>>;
  readonly dockerHost: DockerHost;
  /** The machine whose Docker runs it. */
  readonly machine: pulumi.Resource;
  /** What makes the step run again, to repair the node. */
  readonly repairs?: Repairs;
}

/** Folder of a workload's secrets on the node. */
export const secretsFolder = (workload: string): string =>
  `${SECRETS_FOLDER}/workloads/${workload}`;

/** Writes the secrets of a workload, and removes them with it. Undefined if it has none. */
export function writeSecrets(
  name: string,
  { workload, config, secrets, dockerHost, machine, repairs }: WorkloadSecretsArgs,
  parent: pulumi.Resource,
): command.remote.Command | undefined {
  const files = Object.entries(config.secrets);
  if (files.length === 0) return undefined;
  const step = workloadSecretsStep(workload, userIdOf(config));
  const contents = pulumi.secret(pulumi.all(files.map(([, secret]) => secrets[secret] ?? "")));
  const variables = contents.apply((values) => ({
    ...step.variables,
    FILES: files.map(([file]) => file).join(" "),
    ...Object.fromEntries(values.map((value, index) => [`CONTENT_${index}`, value])),
  }));
  const remove = deletePath(secretsFolder(workload), "-rf");
  const { connection } = dockerHost;
  const run = { ...step, variables, connection, machine, remove, repairs };
  // The script asks Docker for its user namespace.
  return runNodeScript(nameResource(name, PART.secrets), run, { parent, dependsOn: [dockerHost] });
}

/** When the secrets last changed, in seconds since 1970; 0 without any. */
export function lastChange(secrets?: command.remote.Command): pulumi.Output<number> {
  if (!secrets) return pulumi.output(0);
  return secrets.stdout.apply((text) => (JSON.parse(text) as { written: number }).written);
}
