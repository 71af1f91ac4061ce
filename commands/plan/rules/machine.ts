/** Rules about virtual machines, and the data that goes with them. */
import { VM, VOLUME } from "../../../config/resource-types";
import type { Change, Properties, Value } from "../model";
import { disksOf, findRemoved } from "./disks";
import { asWord } from "./items";
import type { Details, Rule } from "./rule";

/** Properties whose change needs a reboot (terraform-provider-proxmox v0.111.1, vm.go and disk.go, `rebootRequired`). */
const NEEDS_REBOOT =
  /^(disks\[\d+\]\.(aio|queues)$|(acpi|agent|amdSev|audioDevice|bios|bootOrders|cpu|efiDisk|hostpcis|initialization|keyboardLayout|kvmArguments|machine|memory|numas|operatingSystem|rngs|scsiHardware|serialDevices|tabletDevice|tpmState|usbs|vga|virtiofs|watchdog)\b)/;

const isGone = ({ action, retained }: Change): boolean =>
  !retained && (action === "delete" || action === "replace");

export const MACHINE_RULES: readonly Rule[] = [
  {
    label: "replaces-vm",
    severity: "danger",
    explanation: "The VM is deleted and made anew, with everything that lives on it.",
    applies: ({ type, action, because }: Change): Details =>
      type === VM && action === "replace" ? because : undefined,
  },
  {
    label: "deletes-vm",
    severity: "danger",
    explanation: "The VM is deleted, with everything that lives on it.",
    applies: (change: Change): Details =>
      change.type === VM && change.action === "delete" && isGone(change) ? [] : undefined,
  },
  {
    label: "data-loss",
    severity: "danger",
    explanation: "Data is deleted for good: only a backup brings it back.",
    applies: (change: Change): Details => {
      if (change.type === VM && change.action === "update") return findRemoved(change);
      if (!isGone(change)) return undefined;
      if (isInMemory(change)) return undefined;
      if (change.type === VOLUME) return [`volume ${asWord(change.old.name, change.name)}`];
      const disks = disksOf(change.old.disks).map(({ name, size }) => `${name} (${size} GiB)`);
      return change.type === VM && disks.length > 0 ? disks : undefined;
    },
  },
  {
    label: "lifts-protection",
    severity: "caution",
    explanation: "The VM is no longer protected: it can be deleted.",
    applies: ({ type, action, old, new: inputs }: Change): Details =>
      type === VM && action === "update" && old.protection === true && inputs.protection !== true
        ? []
        : undefined,
  },
  {
    label: "reboots",
    severity: "caution",
    explanation: "The VM reboots; its containers stop and start again by their restart policy.",
    applies: ({ type, action, properties, new: inputs }: Change): Details => {
      if (type !== VM || action !== "update" || inputs.rebootAfterUpdate === false)
        return undefined;
      const paths = properties.map(({ path }) => path).filter((path) => NEEDS_REBOOT.test(path));
      return paths.length > 0 ? paths : undefined;
    },
  },
  {
    label: "changes-address",
    severity: "caution",
    explanation:
      "The VM has another address after its reboot, and is reached only there: by people, Portainer, monitoring and this program.",
    applies: (change: Change): Details => findReaddressed(change, "ipv4"),
  },
  {
    label: "changes-address",
    severity: "caution",
    explanation:
      "The VM has another IPv6 address after its reboot: people and rules that use the earlier one do not reach it; Portainer, monitoring and this program use the IPv4 one.",
    applies: (change: Change): Details => findReaddressed(change, "ipv6"),
  },
  {
    label: "changes-mac",
    severity: "danger",
    explanation:
      "The guest knows its NIC by the MAC address: with another one it has no network, and nobody reaches the node, until Proxmox reboots it.",
    applies: (change: Change): Details => findNicChanges(change, "macAddress", isFirst),
  },
  {
    label: "changes-mac",
    severity: "caution",
    explanation:
      "The guest knows a NIC beside the first by its MAC address: with another one it has no network there until Proxmox reboots it.",
    applies: (change: Change): Details =>
      findNicChanges(change, "macAddress", (index) => !isFirst(index)),
  },
  {
    label: "replugs-nic",
    severity: "caution",
    explanation:
      "Proxmox takes the NIC out of the running VM and puts it back: connections break, and containers on a macvlan or an ipvlan need a restart.",
    applies: (change: Change): Details => findNicChanges(change, "mtu"),
  },
];

/**
 * NICs of an existing VM of which a field changes, with both values. With another MAC
 * address or MTU Proxmox takes the NIC out and plugs it in again (qemu-server, vmconfig_update_net).
 */
function findNicChanges(
  { type, action, properties }: Change,
  field: string,
  concerns: (index: number) => boolean = () => true,
): Details {
  if (type !== VM || action !== "update") return undefined;
  const found = properties.flatMap(({ path, before, after }) => {
    const [, index, name] = /^networkDevices\[(\d+)\]\.(\w+)$/.exec(path) ?? [];
    if (name !== field || !concerns(Number(index))) return [];
    const shown = [before, after].map(describeOwn);
    return shown[0] === shown[1] ? [] : [`net${index}: ${shown.join(" → ")}`];
  });
  return found.length > 0 ? found : undefined;
}

/** The node is reached by its first NIC. */
const isFirst = (index: number): boolean => index === 0;

/** A value of a NIC in words. The provider writes 0 or nothing if none was declared. */
const describeOwn = (value: Value | undefined): string =>
  (typeof value === "string" || typeof value === "number") && value ? String(value) : "Proxmox's";

/** The address of the first NIC before and after, if it changes or goes. */
function findReaddressed(
  { type, action, old, new: inputs }: Change,
  family: "ipv4" | "ipv6",
): Details {
  if (type !== VM || action !== "update") return undefined;
  const [was, now] = [old, inputs].map((one) => ipConfigsOf(one)[0]?.[family]?.address);
  return was && was !== now ? [`${was} → ${now ?? "none"}`] : undefined;
}

/** What cloud-init gives each NIC: its addresses, those of IPv6 last. */
export function addressesOf(properties: Properties): string[] {
  return ipConfigsOf(properties).map(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap((family) => (family?.address ? [family.address] : [])).join(", "),
  );
}

function ipConfigsOf({ initialization }: Properties): IpConfig[] {
  return ((initialization ?? {}) as { ipConfigs?: IpConfig[] }).ipConfigs ?? [];
}

interface IpConfig {
  readonly ipv4?: { readonly address?: string };
  readonly ipv6?: { readonly address?: string };
}

/** A volume in memory keeps nothing anyway, such as that of a socket. */
const isInMemory = ({ type, old }: Change): boolean =>
  type === VOLUME && (old.driverOpts as { type?: string } | undefined)?.type === "tmpfs";
