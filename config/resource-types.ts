/** Pulumi's types of the resources that plans, states and policies are searched for. */
export const COMMAND = "command:remote:Command";
export const CONTAINER = "docker:index/container:Container";
export const DOCKER_PROVIDER = "pulumi:providers:docker";
export const NETWORK = "docker:index/network:Network";
export const VOLUME = "docker:index/volume:Volume";
export const VM = "proxmoxve:index/vmLegacy:VmLegacy";
/** A file that Proxmox has downloaded: a cloud image. */
export const DOWNLOAD = "proxmoxve:download/file:File";
/** The component that is a node. */
export const NODE = "docker-node:components:DockerNode";
