/** The state of the stack whose program is running. */
import * as pulumi from "@pulumi/pulumi";
import type { State } from "../../node/recorded";

/**
 * Reads the resources of the last deployment from Pulumi itself, by URN, with secrets in clear text. Empty for a stack that
 * was never brought up (pkg/resource/deploy/builtins.go).
 */
export async function readOwnState(): Promise<State> {
  // A backend without organisations (a file, a bucket) reports this name, and needs the bare name of the stack.
  const organization = pulumi.getOrganization();
  const own = pulumi.getStack();
  const name =
    organization === "organization" ? own : `${organization}/${pulumi.getProject()}/${own}`;
  // Asked for the resources of a stack without a deployment, Pulumi 3.259 crashes (backendClient.GetStackResourceOutputs).
  const { outputs } = await ask("readStackOutputs", { name });
  if (Object.keys(outputs).length === 0) return {};
  return (await ask("readStackResourceOutputs", { stackName: name })).outputs;
}

async function ask(question: string, about: object): Promise<{ readonly outputs: State }> {
  const answer: unknown = await pulumi.runtime.invoke(`pulumi:pulumi:${question}`, { ...about });
  return clear(answer) as { readonly outputs: State };
}

/** The SDK (runtime/rpc.ts) unwraps one level; a secret inside a secret, such as the key of a connection, stays wrapped. */
function clear(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clear);
  if (typeof value !== "object" || value === null) return value;
  if (pulumi.runtime.isRpcSecret(value)) return clear(pulumi.runtime.unwrapRpcSecret(value));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, clear(one)]));
}
