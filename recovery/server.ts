/** How to prepare the backup server for the nodes of a stack, as the configuration has it. */
import type { Settings } from "../config/load";
import { word } from "./shell";

/**
 * Command lines for a person who administers the server: one for all nodes that share a server, a datastore
 * and what is kept. The secrets they make are shown by the server, and known to nobody before.
 */
export function serverCommands({ proxmox, nodes }: Settings): string[] {
  const groups = new Map<string, string[]>();
  for (const [name, { backups }] of Object.entries(nodes)) {
    if (!backups) continue;
    const { server, volumes, configuration, images } = backups;
    const storage =
      backups.vm?.storage === proxmox.backupStorage?.id ? proxmox.backupStorage : undefined;
    const options = [
      ...["--datastore", server.datastore],
      ...(storage ? ["--vm-datastore", storage.datastore] : []),
      ...["--keep-volumes", String(volumes.keepDays)],
      ...["--keep-configuration", String(configuration.keepDays)],
      ...["--keep-images", String(images.keepWeeks)],
    ];
    const { host } = server.endpoint ?? { host: server.address };
    const command = ["ssh", `root@${host}`, "bash", "-s", "--", ...options].map(word).join(" ");
    groups.set(command, [...(groups.get(command) ?? []), name]);
  }
  return [...groups].map(
    ([command, names]) => `${command} ${names.join(" ")} < recovery/pbs-server.sh`,
  );
}
