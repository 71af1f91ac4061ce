/** The commands that prepare the backup server for the nodes of a stack, made from the configuration. */
import { join, relative } from "node:path";
import { serverEndpoint } from "../../config/backups";
import type { Settings } from "../../config/load";
import type { BackupStorageConfig, BackupsConfig, ProxmoxConfig } from "../../config/schema";
import { quoteWord } from "../../clients/ssh";

/**
 * Command lines for a person who administers the server: one for all nodes that share a server, a datastore and
 * what is kept. The server makes the secrets and shows them once. The script is named from the current directory.
 */
export function serverCommands(
  { proxmox, nodes }: Pick<Settings, "proxmox" | "nodes">,
  names: readonly string[] = Object.keys(nodes),
): string[] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const backups = nodes[name]?.backups;
    if (!backups) continue;
    const command = commandFor(backups, proxmox);
    groups.set(command, [...(groups.get(command) ?? []), memberText(name, backups)]);
  }
  return [...groups].map(
    ([command, members]) => `cat ${scriptFiles()} | ${command} ${members.join(" ")}`,
  );
}

/** The parts of the script, which are one script in the order of their names: here, or in the installed package. */
const scriptFiles = (): string =>
  `${quoteWord(relative(process.cwd(), join(__dirname, "pbs-server")))}/*.sh`;

/** A node, with its token if that differs from the script's default. */
function memberText(name: string, { server: { tokenId } }: BackupsConfig): string {
  return tokenId === `backup@pbs!${name}` ? name : quoteWord(`${name}=${tokenId}`);
}

/** The command line without the names of the nodes. */
function commandFor(backups: BackupsConfig, { backupStorage }: ProxmoxConfig): string {
  const { server, volumes, configuration, images, vm } = backups;
  const options = [
    ...["--datastore", server.datastore],
    ...(vm && backupStorage && vm.storage === backupStorage.id
      ? storageOptions(backupStorage, vm)
      : []),
    ...["--keep-volumes", String(volumes.keepDays)],
    ...["--keep-configuration", String(configuration.keepDays)],
    ...["--keep-images", String(images.keepWeeks)],
  ];
  const target = `root@${serverEndpoint(server).host}`;
  return ["ssh", target, "bash", "-s", "--", ...options].map(quoteWord).join(" ");
}

/** Proxmox VE's token for the storage the program manages. A user with a password is made by hand. */
function storageOptions(
  { datastore, namespace, username }: BackupStorageConfig,
  { prunedBy, keepDays }: NonNullable<BackupsConfig["vm"]>,
): string[] {
  if (!username.includes("!")) return [];
  const place = namespace === undefined ? [] : ["--vm-namespace", namespace];
  const own = username === "pve@pbs!docker-node" ? [] : ["--vm-token", username];
  const kept = prunedBy === "server" ? ["--keep-vm", String(keepDays), ...place] : [];
  return ["--vm-datastore", datastore, ...own, ...kept];
}
