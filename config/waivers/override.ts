import { isTree } from "../tree";
import { BACKUP_CONTAINER } from "../backups";
import { AGENT_CONTAINER } from "../portainer";
import type { NodeConfig } from "../schema";
import type { Downgrade, Weakness } from "./downgrade";

/* Arguments of resources that get around what the configuration guards. Their lists replace ours, so that any counts. */

type Row = Downgrade<NodeConfig>;
type Section = keyof NonNullable<NodeConfig["override"]>;

/** Containers of the program, by the section that overrides them. */
const CONTAINERS: Readonly<Partial<Record<Section, string>>> = {
  agent: AGENT_CONTAINER,
  backup: BACKUP_CONTAINER,
};

/** Values that take nothing away, by argument. */
const HARMLESS: Readonly<Record<string, (value: unknown) => boolean>> = {
  privileged: (value) => value === false,
  publishAllPorts: (value) => value === false,
  readOnly: (value) => value === true,
  capabilities: (value) => isTree(value) && !("adds" in value),
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
  allowed: "nothing here",
  meaning: `${meaning}: ${names.map((name) => `\`${name}\``).join(", ")}.`,
  find: findOverriding(sections, names),
});

const containerRow = (kind: string, meaning: string, names: readonly string[]): Row => ({
  ...makeRow(kind, meaning, ["agent", "backup"], names),
  ofContainers: true,
});

const machineRow = (kind: string, meaning: string, names: readonly string[]): Row =>
  makeRow(kind, meaning, ["machine"], names);

const PRIVILEGES = [
  ...["privileged", "capabilities", "securityOpts", "user", "groupAdds", "runtime", "sysctls"],
  ...["devices", "deviceRequests", "deviceCgroupRules", "gpus", "cgroupParent"],
];
const PROGRAM = ["command", "entrypoints", "uploads", "workingDir"];
const NAMESPACES = [
  ...["networkMode", "networksAdvanced", "pidMode", "ipcMode", "usernsMode", "cgroupnsMode"],
];

/** The rows, in the order of the page. */
export const OVERRIDE_DOWNGRADES: readonly Row[] = [
  containerRow("privileges", "Rights of a container of the program", PRIVILEGES),
  containerRow("mounts", "What of the node it sees, the Docker socket too", [
    ...["mounts", "volumes", "readOnly"],
  ]),
  containerRow("program", "What runs in it, with Docker's socket", PROGRAM),
  containerRow("namespaces", "What keeps it apart from the node and from others", NAMESPACES),
  containerRow("ports", "Who reaches it", ["ports", "publishAllPorts"]),
  machineRow("nic", "The VM's network, its firewall too", ["networkDevices"]),
  machineRow("login", "Who can log in at the first boot", ["initialization"]),
  machineRow("hypervisor", "What of the Proxmox node the VM reaches", [
    ...["hookScriptFileId", "hostpcis", "kvmArguments", "usbs", "virtiofs"],
  ]),
];
