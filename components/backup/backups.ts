import type * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { BACKUP_CONTAINER, configurationMounts, repositoryOf, toCron } from "../../config/backups";
import type { BackupsConfig } from "../../config/schema";
import type { Tree } from "../../config/tree";
import { bind } from "../../node/steps";
import type { Images } from "../docker/images";
import { limitProcesses } from "../docker/container-limits";
import { runNodeScript, type Repairs } from "../docker/node-script";
import { LOGGING, keepCapabilities, memoryLimit } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import { announce, applyOverride } from "../shared/override";

/** What the backup container needs. */
export interface BackupsArgs {
  /** Name of the node: its namespace on the backup server. */
  nodeName: string;
  /** Server, image and schedules, as configured. */
  backups: BackupsConfig;
  /** Secret of the node's API token on the backup server. */
  token: pulumi.Input<string>;
  /** Encryption key, as `proxmox-backup-client key create --kdf none` writes it. */
  key: pulumi.Input<string>;
  /** Docker's root directory as the daemon reports it; under userns-remap it is not /var/lib/docker. */
  dockerRootDir: pulumi.Input<string>;
  /** The machine whose Docker runs it. */
  machine: pulumi.Resource;
  /** The images of the node. */
  images: Images;
  /** SSH to the node. */
  connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  /** What makes steps run again, to repair the node. */
  repairs?: Repairs;
  /** Arguments of the container that the configuration has no word for. */
  override?: Tree;
}

/**
 * The container `docker_node_backup`, which backs up a node's volumes, configuration and images; see `node/backup/`.
 * It runs outside the user namespace: remapped, it could read neither docker.sock nor volumes.
 */
export class Backups extends pulumi.ComponentResource {
  /** The container itself. */
  readonly container: docker.Container;

  constructor(name: string, args: BackupsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:Backups", name, {}, opts);
    const { backups, images } = args;
    const image = images.pullOutside(`${name}-image`, backups.image, BACKUP_CONTAINER, this);
    const secrets = writeSecrets(name, args, this);
    const first = images.pulled.then((all) => [...all, secrets]);
    this.container = new docker.Container(
      `${name}-container`,
      applyOverride(backupContainerArgs(args, image.imageId), args.override),
      {
        parent: this,
        dependsOn: first,
        deleteBeforeReplace: true,
        ...livesOn(args.machine),
      },
    );
    announce(this.container, "backup", args.override);
    limitProcesses(name, this.container, args, this);
    this.registerOutputs({ containerId: this.container.id });
  }
}

/**
 * Secrets are files of the node that only its root reads (node/backup-secrets.sh). What Docker itself puts into a
 * container lies in a layer of the remapped root, who is what an escape from any other container gives.
 */
function writeSecrets(
  name: string,
  { token, key, machine, connection }: BackupsArgs,
  parent: pulumi.Resource,
): command.remote.Command {
  const { script, timeout, variables: limits } = bind("backup-secrets", {}, 180, { wait: 1800 });
  const secrets = pulumi.secret(pulumi.all([token, key]));
  const variables = secrets.apply(([TOKEN, KEY]) => ({ ...limits, TOKEN, KEY }));
  const step = { script, variables, timeout, connection, machine };
  return runNodeScript(`${name}-secrets`, step, { parent });
}

/** Where the secrets are on the node, and where the container finds them (node/backup/lib.sh). */
const SECRETS = {
  hostPath: "/var/lib/docker-node/secrets/backup",
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
export function backupContainerArgs(
  args: BackupsArgs,
  image: pulumi.Input<string>,
): docker.ContainerArgs {
  return {
    name: BACKUP_CONTAINER,
    image,
    restart: "always",
    usernsMode: "host",
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
    ...LOGGING,
    ...memoryLimit(1024),
    securityOpts: ["no-new-privileges:true"],
  };
}

function environmentOf({ nodeName, backups }: BackupsArgs): string[] {
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
    { hostPath: "/var/lib/docker-node/backup", containerPath: "/state" },
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
