/** Functions for stacks that build on this stack's nodes. Example: examples/consumer. */
import { accessSync, constants } from "node:fs";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { homePath, sshOptions } from "../config/node";
import { parseContract, type NodeContract } from "./schema";

export type { NodeContract } from "./schema";

/** Returns all nodes of a stack, by name. Fails if this release does not read the stack's contract. */
export function dockerNodes(
  reference: pulumi.StackReference,
): pulumi.Output<Record<string, NodeContract>> {
  const read = (output: string): pulumi.Output<unknown> => reference.getOutput(output);
  return pulumi
    .all([reference.name, read("contract"), read("nodes")])
    .apply(([stack, contract, nodes]) => parseContract(stack, { contract, nodes }).nodes);
}

/** Returns one node of a stack. Fails if the stack has no node of this name. */
export function dockerNode(
  reference: pulumi.StackReference,
  name: string,
): pulumi.Output<NodeContract> {
  return pulumi
    .all([reference.name, dockerNodes(reference)])
    .apply(([stack, nodes]) => pickNode(stack, nodes, name));
}

/** Finds the node of that name, or throws an error that lists the nodes. */
export function pickNode(
  stack: string,
  nodes: Readonly<Record<string, NodeContract>>,
  name: string,
): NodeContract {
  const node = Object.entries(nodes).find(([own]) => own === name)?.[1];
  if (node) return node;
  throw new pulumi.RunError(
    `${stack}: no node "${name}"; allowed: ${Object.keys(nodes).join(", ")}`,
  );
}

/** How to log in to the node. */
export interface DockerProviderArgs {
  /** File with a private key that the node accepts; `~` is the home directory. */
  privateKeyFile: string;
}

/**
 * Creates a provider for resources on a node's Docker. It connects through SSH, with the node's host key pinned.
 * @throws RunError if the private key cannot be read
 */
export function dockerProvider(
  name: string,
  node: pulumi.Input<NodeContract>,
  { privateKeyFile }: DockerProviderArgs,
  opts?: pulumi.ResourceOptions,
): docker.Provider {
  try {
    accessSync(homePath(privateKeyFile), constants.R_OK);
  } catch {
    throw new pulumi.RunError(
      `privateKeyFile: "${privateKeyFile}"; allowed: a readable file with the private key`,
    );
  }
  const { dockerHost, hostKey } = pulumi.output(node);
  const sshOpts = hostKey.apply((key) => sshOptions({ ssh: { privateKeyFile } }, key));
  return new docker.Provider(name, { host: dockerHost, sshOpts }, opts);
}
