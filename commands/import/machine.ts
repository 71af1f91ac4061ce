/** Turns the VM as found into its configuration. */
import { addressOf } from "../../config/cidr";
import { DATA_ROOT } from "../../config/node-paths";
import type { Tree } from "../../config/tree";
import type { Facts } from "./facts";
import type { Findings } from "./finding";
import { nicsOf } from "./nics";
import { toGibibytes, parseOptions, type Hardware } from "./hardware";

/** What upstream reads where Proxmox names no CPU type (vm.go), so that there is no difference. */
const UNNAMED_CPU = "qemu64";

/** The sections `machine` and `network`. The stack's defaults supply what stays undefined. */
export function machineOf(
  hardware: Hardware,
  facts: Facts,
  findings: Findings,
): { machine: Tree; network: Tree } {
  refuseUnfit(hardware, facts, findings);
  const { vmId, proxmoxNode, config } = hardware;
  const machine = {
    vmId,
    proxmoxNode,
    adopt: true,
    description: String(config.description ?? ""),
    tags: String(config.tags ?? "")
      .split(/[;, ]+/)
      .filter((tag) => tag !== ""),
    cpu: readCpu(config, findings),
    memoryGiB: readMemory(config, findings),
    disk: readDisk(config, "scsi0", findings),
    dockerDisk: readDockerDisk(config, facts, findings),
    onBoot: Number(config.onboot ?? 0) === 1,
    startup: readStartup(config, findings),
  };
  findings.adopt(`VM ${vmId}`, `${hardware.name} on ${proxmoxNode}; hardware stays as it is`);
  return { machine, network: readNetwork(hardware, facts, findings) };
}

/** Drives and NICs that the configuration cannot declare. The VM would lose them, so they refuse the import. */
const PLACES = /^(scsi[01]|net[0-7])$/;
const DEVICES = /^(scsi|virtio|sata|ide|net)\d+$/;

function refuseUnfit({ config, status, vmId }: Hardware, facts: Facts, { refuse }: Findings): void {
  if (Number(config.template ?? 0) === 1) refuse(`VM ${vmId}`, "is a template");
  if (status !== "running") refuse(`VM ${vmId}`, `is ${status}: start it (qm start ${vmId})`);
  if (config.lock !== undefined) refuse(`VM ${vmId}`, `is locked (${config.lock})`);
  for (const [key, value] of Object.entries(config)) {
    if (!DEVICES.test(key) || PLACES.test(key) || /cloudinit|media=cdrom|^none/.test(String(value)))
      continue;
    refuse(
      key,
      `${value}: the configuration knows the NICs net0 to net7, and disks scsi0 and scsi1; an up would take it away`,
    );
  }
  if (facts.info === undefined) refuse("Docker", "no daemon answers; systemctl status docker");
  if (/error/.test(facts.cloudInit))
    refuse("cloud-init", `${facts.cloudInit}; see cloud-init status --long`);
}

function readCpu(config: Hardware["config"], { change }: Findings): Tree {
  const given = parseOptions(config.cpu);
  const type = given.cputype ?? given[""];
  if (!type)
    change("CPU type", `none is set; ${UNNAMED_CPU} is what a later change of the CPU will set`);
  return { cores: Number(config.cores ?? 1), type: type ?? UNNAMED_CPU };
}

/** MiB in Proxmox (`memory: 2048`, or `current=2048`), quarters of a GiB in the configuration. */
function readMemory(config: Hardware["config"], { change }: Findings): number {
  const given = parseOptions(config.memory);
  const mebibytes = Number(given.current ?? given[""] ?? 512);
  const quarters = Math.ceil(mebibytes / 256) / 4;
  if (quarters * 1024 !== mebibytes)
    change(
      "memory",
      `${mebibytes} MiB is no multiple of 256: ${quarters} GiB, which needs a reboot`,
    );
  return quarters;
}

function readDisk(config: Hardware["config"], slot: string, findings: Findings): Tree | undefined {
  const value = config[slot];
  const given = parseOptions(value);
  const size = toGibibytes(given.size);
  const [datastore = ""] = (given[""] ?? given.file ?? "").split(":");
  if (value === undefined || size === undefined) {
    const found = value === undefined ? "not there" : `${value}: no size in it`;
    findings.refuse(slot, `${found}; the system disk has to be scsi0`);
    return undefined;
  }
  const sizeGiB = Math.ceil(size);
  if (sizeGiB !== size) findings.change(slot, `grows from ${size} to ${sizeGiB} GiB, in place`);
  return { sizeGiB, datastore };
}

/** The second disk can only be Docker's: XFS over the whole disk, mounted with project quota (storage.sh). */
function readDockerDisk(config: Hardware["config"], facts: Facts, findings: Findings): Tree | null {
  if (config.scsi1 === undefined) return null;
  const device = facts.disks.find(({ serial }) => serial === "drive-scsi1");
  const mounted = device?.mountpoints.includes(DATA_ROOT) ?? false;
  const quota = /(^|,)p(rj)?quota(,|$)/.test(facts.mount?.options ?? "");
  if (device?.fstype !== "xfs" || !mounted || !quota) {
    const found = `${device?.fstype ?? "no filesystem"}, ${mounted ? facts.mount?.options : `not at ${DATA_ROOT}`}`;
    findings.refuse("scsi1", `has to be XFS, whole, at ${DATA_ROOT} with prjquota; it is ${found}`);
  }
  return readDisk(config, "scsi1", findings) ?? null;
}

/** `order=20,up=30,down=120`; parts that are missing come from the configuration's defaults. */
function readStartup(config: Hardware["config"], { change }: Findings): Tree | undefined {
  const { order, up, down } = parseOptions(config.startup);
  if (order !== undefined && up !== undefined && down !== undefined)
    return { order: Number(order), upDelaySeconds: Number(up), downDelaySeconds: Number(down) };
  change(
    "start order",
    `is ${config.startup ?? "not set"}: the declared one is set, without a restart`,
  );
  return undefined;
}

function readNetwork({ config, firewallRules }: Hardware, facts: Facts, findings: Findings): Tree {
  const { refuse, leave } = findings;
  if (!facts.gateway) refuse("network", "the guest has no default route");
  if (firewallRules > 0)
    leave("firewall", `${firewallRules} rules of the VM stay; network.firewall would add to them`);
  return {
    ...nicsOf(config, facts, findings),
    gateway: facts.gateway,
    // Nothing is opened or closed unasked.
    firewall: null,
  };
}

/** Address that Proxmox gave the VM by cloud-init; undefined when it is left to the guest or to DHCP. */
export function addressIn({ config }: Hardware): string | undefined {
  const { ip } = parseOptions(config.ipconfig0);
  return ip && ip !== "dhcp" ? addressOf(ip) : undefined;
}
