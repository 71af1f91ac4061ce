/** The state of the stack whose program is running. */
import * as pulumi from "@pulumi/pulumi";
import type { State } from "../../node/recorded";

/**
 * The resources of the last deployment by URN, secrets in clear; empty for a stack that was never brought up.
 * They are asked of Pulumi itself (pkg/resource/deploy/builtins.go).
 */
export async function ownState(): Promise<State> {
  // The organisation of a backend without any (a file, a bucket), which takes the bare name.
  const organization = pulumi.getOrganization();
  const own = pulumi.getStack();
  const name =
    organization === "organization" ? own : `${organization}/${pulumi.getProject()}/${own}`;
  // Asked for the resources of a stack without a deployment, Pulumi 3.259 crashes (backendClient.GetStackResourceOutputs).
  const { outputs } = await ask("readStackOutputs", { name });
  if (Object.keys(outputs).length === 0) return {};
  return (await ask("readStackResourceOutputs", { stackName: name })).outputs;
}

const ask = (question: string, about: object): Promise<{ readonly outputs: State }> =>
  pulumi.runtime.invoke(`pulumi:pulumi:${question}`, { ...about }) as Promise<{ outputs: State }>;
