/** The state of the stack whose program is running. */
import * as pulumi from "@pulumi/pulumi";
import type { State } from "../../node/recorded";

/**
 * Reads the resources of the last deployment from Pulumi itself, by URN, with secrets in clear text. Empty for a stack that
 * was never brought up (pkg/resource/deploy/builtins.go), or whose first `up` was killed: one that fails leaves a mark.
 */
export async function readOwnState(): Promise<State> {
  // A backend without organisations (a file, a bucket) reports this name, and needs the bare name of the stack.
  const organization = pulumi.getOrganization();
  const own = pulumi.getStack();
  const name =
    organization === "organization" ? own : `${organization}/${pulumi.getProject()}/${own}`;
  // Asked for the resources of a stack without a deployment, Pulumi 3.259 crashes (backendClient.GetStackResourceOutputs).
  const { outputs } = await ask("readStackOutputs", { name });
  if (Object.keys(outputs).length === 0) {
    writeMark();
    return {};
  }
  return (await ask("readStackResourceOutputs", { stackName: name })).outputs;
}

/** Stacks that have the mark, and whose outputs the program registers itself. */
const marked = new WeakSet<object>();

/** What the SDK has of a component whose outputs are registered; its types leave it out (resource.ts). */
interface Registered {
  __registered?: boolean;
}

/**
 * Registers an output before anything is made. An `up` that fails adds what was registered last to the earlier outputs, one that ends
 * well has that alone (pulumi#15754, CLI 3.112). So the next run sees that there is a deployment, though the first `up` has failed. After
 * a failure the SDK would register no outputs in place of the mark (runtime/stack.ts), so it must not do it itself.
 */
function writeMark(): void {
  const stack = pulumi.runtime.getStackResource();
  if (!stack) return;
  pulumi.runtime.registerResourceOutputs(stack, { incomplete: true });
  (stack as Registered).__registered = true;
  marked.add(stack);
}

/** Registers the stack's outputs in place of the mark, and returns them. They are registered when all of them are known. */
export function replaceMark<T extends object>(outputs: T): T {
  const stack = pulumi.runtime.getStackResource();
  if (stack && marked.has(stack)) pulumi.runtime.registerResourceOutputs(stack, { ...outputs });
  return outputs;
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
