import { BACKUP_CONTAINER } from "../backups";
import { AGENT_CONTAINER } from "../portainer";
import type { NodeConfig } from "../schema";
import { CONTAINER_KINDS, HARMLESS, MACHINE_KINDS } from "./arguments";
import type { Downgrade, Weakness } from "./downgrade";

/* Arguments of resources that get around what the configuration guards. Their lists replace ours, so that any counts. */

type Row = Downgrade<NodeConfig>;
type Section = keyof NonNullable<NodeConfig["override"]>;

/** Containers of the program, by the section that overrides them. */
const CONTAINERS: Readonly<Partial<Record<Section, string>>> = {
  agent: AGENT_CONTAINER,
  backup: BACKUP_CONTAINER,
};

function findOverriding(sections: readonly Section[], names: readonly string[]): Row["find"] {
  return ({ override = {} }) =>
    sections.flatMap((section) =>
      Object.entries(override[section] ?? {})
        .filter(([name, value]) => names.includes(name) && !HARMLESS[name]?.(value))
        .map(([name, value]): Weakness => {
          const container = CONTAINERS[section];
          return { path: `override/${section}/${name}`, value, ...(container && { container }) };
        }),
    );
}

const makeRow = (
  kind: string,
  meaning: string,
  sections: readonly Section[],
  names: readonly string[],
): Row => ({
  id: `override-${kind}`,
  allowed: "leave it out, or a value that takes nothing away",
  meaning: `${meaning}: ${names.map((name) => `\`${name}\``).join(", ")}.`,
  find: findOverriding(sections, names),
});

const containerRow = (kind: keyof typeof CONTAINER_KINDS, meaning: string): Row => ({
  ...makeRow(kind, meaning, ["agent", "backup"], CONTAINER_KINDS[kind]),
  ofContainers: true,
});

const machineRow = (kind: keyof typeof MACHINE_KINDS, meaning: string): Row =>
  makeRow(kind, meaning, ["machine"], MACHINE_KINDS[kind]);

/** The rows, in the order of the page. */
export const OVERRIDE_DOWNGRADES: readonly Row[] = [
  containerRow("privileges", "Rights of a container of the program"),
  containerRow("mounts", "What of the node it sees, the Docker socket too"),
  containerRow("program", "What runs in it, with Docker's socket"),
  containerRow("namespaces", "What keeps it apart from the node and from others"),
  containerRow("ports", "Who reaches it"),
  containerRow("limits", "How much of the node it may take"),
  containerRow("logs", "What is known of what it did, and where its output goes"),
  machineRow("nic", "The VM's network, its firewall too"),
  machineRow("login", "Who can log in at the first boot"),
  machineRow("hypervisor", "What of the Proxmox node the VM reaches"),
];
