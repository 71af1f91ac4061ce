import { CONFIGURATION_MOUNTS } from "../backups";
import { isWithin } from "../checks/workloads/mounts";
import { isSystem } from "../exposure";
import { OWN_FOLDER } from "../node-paths";
import type { NodeConfig } from "../schema";
import type { Downgrade, Weakness } from "./downgrade";

/* Values that give the backup container more than it has by itself. */

/** Paths that the backup of the configuration has by itself need no waiver when they are declared as well. */
const isForeign = (path: string): boolean =>
  (isSystem(path) || isWithin(path, OWN_FOLDER) || isWithin(OWN_FOLDER, path)) &&
  !CONFIGURATION_MOUNTS.some((mounted) => isWithin(path, mounted));

const systemPaths = ({ backups }: NodeConfig): Weakness[] =>
  (backups?.configuration.paths ?? []).flatMap((path, index) =>
    isForeign(path) ? [{ path: `backups/configuration/paths/${index}`, value: path }] : [],
  );

/** The rows, in the order of the page. */
export const BACKUP_DOWNGRADES: readonly Downgrade<NodeConfig>[] = [
  {
    id: "backup-system-paths",
    allowed: "files and folders of the node's own programs, such as /opt/compose",
    meaning:
      "The backup container, and whoever reads its backups, sees folders of the system or a secret of the program.",
    find: systemPaths,
  },
];
