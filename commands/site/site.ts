/** A node with everything a recovery needs, whichever stack it comes from. */
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import type { VmStore } from "../../config/backups";
import type { BackupsConfig, NodeConfig } from "../../config/schema";
import type { Pulumi } from "../../clients/pulumi/stack";
import type { Proxmox } from "../../clients/proxmox-backups";
import type { Repository } from "../../clients/backup-server";
import type { NodeShell } from "../../clients/ssh";

export interface Site {
  /** Name of the node. */
  readonly name: string;
  readonly node: NodeConfig;
  readonly backups: BackupsConfig;
  readonly shell: NodeShell;
  readonly repository: Repository;
  /** Where the backup server removes older backups of the VM, if it does. */
  readonly vmStore?: VmStore;
  readonly proxmox: Proxmox;
  readonly pulumi: Pulumi;
  readonly now: () => Date;
}

/** @throws Error when the node declares no backups */
export function backupsOf(name: string, { backups }: NodeConfig): BackupsConfig {
  if (backups) return backups;
  throw new Error(`nodes.${name}.backups: missing, so nothing of this node is backed up`);
}

/**
 * Calls the Docker API of the node; undefined for an answer without content.
 * @throws AnswerError when the answer is no JSON
 */
export async function callDocker(
  { shell }: Pick<Site, "shell">,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const variables = {
    METHOD: method,
    REQUEST_PATH: path,
    ...(body === undefined ? {} : { BODY: JSON.stringify(body) }),
  };
  const answer = await shell.script("recovery/api", variables);
  return answer === "" ? undefined : parseJson(z.unknown(), answer, `${method} ${path}`);
}
