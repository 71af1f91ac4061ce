/** What other stacks import: the typed outputs of a node, and how to read and use them. */
export { dockerNode, dockerNodes, dockerProvider, type DockerProviderArgs } from "./consumer";
export { CONTRACT, type Contract, type NodeContract } from "./schema";
