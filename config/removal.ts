/** Name of the hook that Pulumi calls before it deletes something protected. It is recorded in states, so it never changes. */
export const REMOVAL_HOOK = "docker-node-removal";

/** A protected resource that is about to be deleted. */
export interface Removed {
  /** Logical name: the node's, and `-vm` or `-<volume>`. */
  readonly name: string;
  readonly type: string;
  /** Its inputs, as recorded. */
  readonly oldInputs?: Readonly<Record<string, unknown>>;
}

/** What a resource is to its node: the last part of its logical name, its place in the configuration, its words. */
interface Part {
  readonly suffix: string;
  readonly key?: string;
  readonly what: string;
}

function partOf(type: string, inputs: Readonly<Record<string, unknown>>): Part {
  const name = String(inputs.name);
  if (type === "docker:index/volume:Volume")
    return { suffix: name, key: `volumes.${name}`, what: `volume ${name}` };
  if (type === "docker:index/network:Network")
    return { suffix: name, key: `networks.${name}`, what: `network ${name}` };
  if (type === "docker:index/container:Container")
    return { suffix: "agent-container", key: "portainer", what: `container ${name}` };
  return { suffix: "vm", what: inputs.vmId === undefined ? "" : `(VM ${Number(inputs.vmId)})` };
}

/**
 * Why something protected is not deleted, and the two steps that delete it.
 *
 * @param nodes names of the nodes that are still declared
 */
export function refusal({ name, type, oldInputs = {} }: Removed, nodes: readonly string[]): string {
  const { suffix, key: part, what } = partOf(type, oldInputs);
  const node = name.slice(0, -`-${suffix}`.length);
  const onlyPart = part !== undefined && nodes.includes(node);
  const key = onlyPart ? `nodes.${node}.${part}` : `nodes.${node}`;
  return [
    `${part ? `${what} of ${node}` : `${node} ${what}`.trim()} is protected and was not deleted. To remove it, in two steps:`,
    `1. with ${key} in the configuration, set nodes.${node}.machine.protect to false and run pulumi up:`,
    "   this lifts the protection in Pulumi and in Proxmox, and takes a waiver of machine-unprotected for as long;",
    `2. take ${key} out of the configuration and run pulumi up.`,
    lost(type, onlyPart),
  ].join("\n");
}

function lost(type: string, onlyPart: boolean): string {
  if (!onlyPart) return "The VM's disks go with it, and so does the data of its volumes.";
  const data = type.includes("/volume:") ? "The data of the volume goes with it. " : "";
  return `${data}Afterwards set machine.protect back to true, and take the waiver out.`;
}
