export { Backups, type BackupsArgs } from "./backup/backups";
export { CloudImage, imagesOf, type CloudImageArgs } from "./machine/cloud-image";
export { ContainerNetworks, type ContainerNetworksArgs } from "./docker/networks";
export { DockerHost, type DaemonFacts, type DockerHostArgs } from "./docker/docker-host";
export { DockerNode, type DockerNodeArgs } from "./docker-node";
export { registerEnvironment, type EnvironmentArgs } from "./platform/portainer-environment";
export { PortainerAgent, type PortainerAgentArgs } from "./platform/portainer-agent";
export { guardRemoval } from "./shared/protection";
export {
  IGNORED_CHANGES,
  VirtualMachine,
  type VirtualMachineArgs,
} from "./machine/virtual-machine";
export type { BackupSecrets } from "./backup/node-backups";
export { createBackupStorage, type BackupStorageArgs } from "./backup/vm-backup";
