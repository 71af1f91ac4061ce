import type * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { BACKUP_CONTAINER } from "../../config/backups";
import { SECRETS_FOLDER } from "../../config/node-paths";
import type { Tree } from "../../config/tree";
import { nameResource, namesOf, PART } from "../../config/names";
import { bind } from "../../node/steps";
import type { Images } from "../docker/images";
import { limitProcesses } from "../docker/container-limits";
import { deletePath, runNodeScript, type Repairs } from "../docker/node-script";
import { REPLACED_FOR } from "../shared/container-defaults";
import { livesOn } from "../shared/lifetime";
import { announce, applyOverride } from "../shared/override";
import { containerArgs, type ContainerSource } from "./backup-container";

/** What the backup container needs. */
export interface BackupsArgs extends ContainerSource {
  /** Secret of the node's API token on the backup server. */
  token: pulumi.Input<string>;
  /** Encryption key, as `proxmox-backup-client key create --kdf none` writes it. */
  key: pulumi.Input<string>;
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
    const own = namesOf(name);
    const image = images.pullOutside(own("image"), backups.image, BACKUP_CONTAINER, this);
    const secrets = writeSecrets(name, args, this);
    const first = images.pulled.then((all) => [...all, secrets]);
    this.container = new docker.Container(
      own(PART.container),
      applyOverride(containerArgs(args, image.imageId), args.override),
      {
        parent: this,
        dependsOn: first,
        deleteBeforeReplace: true,
        replaceOnChanges: REPLACED_FOR,
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
  { token, key, machine, connection, repairs }: BackupsArgs,
  parent: pulumi.Resource,
): command.remote.Command {
  const { script, timeout, variables: limits } = bind("backup-secrets", {}, 180, { wait: 1800 });
  const secrets = pulumi.secret(pulumi.all([token, key]));
  const variables = secrets.apply(([TOKEN, KEY]) => ({ ...limits, TOKEN, KEY }));
  // A node that is no longer backed up keeps neither secret.
  const remove = deletePath(`${SECRETS_FOLDER}/backup`, "-rf");
  const step = { script, variables, timeout, connection, machine, repairs, remove };
  return runNodeScript(nameResource(name, PART.secrets), step, { parent });
}
