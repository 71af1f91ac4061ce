/* Pulumi's types of the resources that plans, states and policies are searched for. */

/** A script that runs on a node, over SSH. */
export const COMMAND = "command:remote:Command";
/** A container on a node. */
export const CONTAINER = "docker:index/container:Container";
/** The connection to a node's Docker. */
export const DOCKER_PROVIDER = "pulumi:providers:docker";
/** A Docker network. */
export const NETWORK = "docker:index/network:Network";
/** A Docker volume. */
export const VOLUME = "docker:index/volume:Volume";
/** The virtual machine of a node. */
export const VM = "proxmoxve:index/vmLegacy:VmLegacy";
/** A file that Proxmox has downloaded: a cloud image. */
export const DOWNLOAD = "proxmoxve:download/file:File";
/** The component that is Docker on a node. It has an old name, which is part of the URN of every child in existing stacks. */
export const DOCKER_HOST = "docker-node:components:DockerEngine";
/** The component that is a node. */
export const NODE = "docker-node:components:DockerNode";
