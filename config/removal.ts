import { nameResource, nodeOfResource, PART } from "./names";
import { CONTAINER, NETWORK, VOLUME } from "./resource-types";

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

/** A resource of a node: the end of its logical name, its place in the configuration, and its description. */
interface Part {
  readonly suffix: string;
  readonly key?: string;
  readonly what: string;
}

function partOf(type: string, inputs: Readonly<Record<string, unknown>>): Part {
  const name = String(inputs.name);
  if (type === VOLUME) return { suffix: name, key: `volumes.${name}`, what: `volume ${name}` };
  if (type === NETWORK) return { suffix: name, key: `networks.${name}`, what: `network ${name}` };
  if (type === CONTAINER)
    return {
      suffix: nameResource(PART.agent, PART.container),
      key: "portainer",
      what: `container ${name}`,
    };
  return { suffix: PART.vm, what: inputs.vmId === undefined ? "" : `(VM ${Number(inputs.vmId)})` };
}

/**
 * Explains why a protected resource is not deleted, and the two steps that delete it.
 *
 * @param nodes names of the nodes that are still declared
 */
export function explainRefusal(
  { name, type, oldInputs = {} }: Removed,
  nodes: readonly string[],
): string {
  const { suffix, key: part, what } = partOf(type, oldInputs);
  const node = nodeOfResource(name, suffix);
  const onlyPart = part !== undefined && nodes.includes(node);
  const key = onlyPart ? `nodes.${node}.${part}` : `nodes.${node}`;
  return [
    `${part ? `${what} of ${node}` : `${node} ${what}`.trim()} is protected and was not deleted. To remove it, in two steps:`,
    `1. with ${key} in the configuration, set nodes.${node}.machine.protect to false and run pulumi up:`,
    "   this lifts the protection in Pulumi and in Proxmox, and needs a waiver of machine-unprotected meanwhile;",
    `2. remove ${key} from the configuration and run pulumi up.`,
    describeLoss(type, onlyPart),
  ].join("\n");
}

function describeLoss(type: string, onlyPart: boolean): string {
  if (!onlyPart) return "The VM's disks go with it, and so does the data of its volumes.";
  const data = type === VOLUME ? "The data of the volume goes with it. " : "";
  return `${data}Afterwards set machine.protect back to true, and remove the waiver.`;
}
