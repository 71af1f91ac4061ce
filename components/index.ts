export { Backups, type BackupsArgs } from "./backups";
export { CloudImage, imageKey, type CloudImageArgs } from "./cloud-image";
export { ContainerNetworks, type ContainerNetworksArgs } from "./container-networks";
export { DockerEngine, type DaemonFacts, type DockerEngineArgs } from "./docker-engine";
export { DockerNode, type BackupSecrets, type DockerNodeArgs } from "./docker-node";
export { PortainerAgent, type PortainerAgentArgs } from "./portainer-agent";
export { guardRemoval } from "./protection";
export { IGNORED_CHANGES, VirtualMachine, type VirtualMachineArgs } from "./virtual-machine";
export { createBackupStorage, type BackupStorageArgs } from "./vm-backup";
