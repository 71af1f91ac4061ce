/** The container `docker_node_backup`, as Docker is told of it. */
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { BACKUP_CONTAINER, configurationMounts, repositoryOf, toCron } from "../../config/backups";
import { OWN_FOLDER, SECRETS_FOLDER } from "../../config/node-paths";
import { runOutside } from "../../config/outside";
import type { BackupsConfig, NodeConfig } from "../../config/schema";
import { daemonDefaults, keepCapabilities, memoryLimit } from "../shared/container-defaults";

/** What the container is made of. */
export interface ContainerSource {
  /** Name of the node: its namespace on the backup server. */
  nodeName: string;
  /** The node, as configured. */
  node: NodeConfig;
  /** Server, image and schedules, as configured. */
  backups: BackupsConfig;
  /** Docker's root directory as the daemon reports it; under userns-remap it is not /var/lib/docker. */
  dockerRootDir: pulumi.Input<string>;
}

/** Where the secrets are on the node, and where the container finds them (node/backup/lib.sh). */
const SECRETS = {
  hostPath: `${SECRETS_FOLDER}/backup`,
  containerPath: "/etc/docker-node",
};

/** Seconds a run that is under way has to start again what it has stopped (node/backup/entrypoint.sh). */
const STOP_SECONDS = 120;

/**
 * It reads files of any owner, and copies the configuration with owners, modes and file capabilities before it uploads it
 * (node/backup/configuration.sh).
 */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP"];

/** What Docker is told of it. The health check is the image's. */
export function containerArgs(
  args: ContainerSource,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  return {
    name: BACKUP_CONTAINER,
    image,
    restart: "always",
    ...runOutside(args.node),
    networkMode: "bridge",
    envs: environmentOf(args),
    volumes: hostPaths(args.backups),
    mounts: [volumesDirectory(args.dockerRootDir)],
    readOnly: true,
    capabilities: keepCapabilities(CAPABILITIES),
    tmpfs: { "/run": "size=16m,mode=0755", "/tmp": "size=256m" },
    stopTimeout: STOP_SECONDS,
    destroyGraceSeconds: STOP_SECONDS,
    // The node's own work comes first.
    cpuShares: 256,
    ...daemonDefaults(args.node),
    ...memoryLimit(1024),
    securityOpts: ["no-new-privileges:true"],
  };
}

function environmentOf({ nodeName, backups }: ContainerSource): string[] {
  const { server, volumes, configuration, images } = backups;
  return [
    `NODE_NAME=${nodeName}`,
    `PBS_REPOSITORY=${repositoryOf(backups)}`,
    `PBS_FINGERPRINT=${server.fingerprint}`,
    `SCHEDULE_VOLUMES=${toCron(volumes.schedule)}`,
    `SCHEDULE_CONFIGURATION=${toCron(configuration.schedule)}`,
    `SCHEDULE_IMAGES=${toCron(images.schedule)}`,
    `CONFIGURATION_PATHS=${configuration.paths.join(" ")}`,
  ];
}

function hostPaths({ configuration }: BackupsConfig): docker.types.input.ContainerVolume[] {
  const below = configurationMounts(configuration.paths).map((path) => ({
    hostPath: path,
    containerPath: `/host${path}`,
    readOnly: true,
  }));
  return [
    { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" },
    { hostPath: `${OWN_FOLDER}/backup`, containerPath: "/state" },
    { ...SECRETS, readOnly: true },
    ...below,
  ];
}

/** Slave: what Docker mounts later for a volume with options (NFS, a bind) is seen here too. */
function volumesDirectory(root: pulumi.Input<string>): docker.types.input.ContainerMount {
  return {
    type: "bind",
    source: pulumi.interpolate`${root}/volumes`,
    target: "/volumes",
    readOnly: true,
    bindOptions: { propagation: "rslave" },
  };
}
