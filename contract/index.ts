/** The module that other stacks import: types of a node's outputs, and functions to read and use them. */
export { dockerNode, dockerNodes, dockerProvider, type DockerProviderArgs } from "./consumer";
export { CONTRACT, type Contract, type NodeContract } from "./schema";
