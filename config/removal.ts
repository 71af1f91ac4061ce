/** Name of the hook that is asked before something protected is deleted; it stands in states. */
export const REMOVAL_HOOK = "docker-node-removal";

/** A protected resource that somebody wants deleted. */
export interface Removed {
  /** Logical name: the node's, and `-vm` or `-<volume>`. */
  readonly name: string;
  readonly type: string;
  /** Its inputs, as recorded. */
  readonly oldInputs?: Readonly<Record<string, unknown>>;
}

/**
 * Why a protected machine or volume is not deleted, and the two steps that delete it.
 *
 * @param nodes names of the nodes that are still declared
 */
export function refusal({ name, type, oldInputs = {} }: Removed, nodes: readonly string[]): string {
  const volume = type === "docker:index/volume:Volume" ? String(oldInputs.name) : undefined;
  const node = name.slice(0, -`-${volume ?? "vm"}`.length);
  const machine = oldInputs.vmId === undefined ? node : `${node} (VM ${Number(oldInputs.vmId)})`;
  const what = volume ? `volume ${volume} of ${node}` : machine;
  const onlyVolume = volume !== undefined && nodes.includes(node);
  const key = onlyVolume ? `nodes.${node}.volumes.${volume}` : `nodes.${node}`;
  return [
    `${what} is protected and was not deleted. To remove it, in two steps:`,
    `1. with ${key} in the configuration, set nodes.${node}.machine.protect to false and run pulumi up:`,
    "   this lifts the protection in Pulumi and in Proxmox;",
    `2. take ${key} out of the configuration and run pulumi up.`,
    onlyVolume
      ? "The data of the volume goes with it. Afterwards set machine.protect back to true."
      : "The VM's disks go with it, and so does the data of its volumes.",
  ].join("\n");
}
