import { isDaily } from "./backups";
import { addressOf, canonical, contains, isHostOf, overlaps } from "./cidr";
import { DAEMON_CHECKS } from "./checks/daemon";
import type { Check, Report } from "./checks/report";
import type { Problem } from "./problems";
import type { NetworkConfig, NodeConfig } from "./schema";

/*
 * What no single field can tell: membership, overlap, versions. Each check is a pure function that
 * returns the problems it sees; paths are those of the merged node.
 */

const CHECKS: readonly Check[] = [
  checkAddresses,
  checkDisks,
  checkImage,
  checkFirewall,
  ...DAEMON_CHECKS,
  checkContainerNetworks,
  checkAdopted,
  checkBackups,
];

/** Problems of one node whose shape is right. */
export function checkNode(name: string, node: NodeConfig): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, value, allowed) => {
    problems.push({ path: ["nodes", name, ...path.split("/")], value, allowed });
  };
  for (const check of CHECKS) check(node, report);
  return problems;
}

/** Problems between nodes: two of them may not claim the same VM id or address. */
export function checkFleet(nodes: Readonly<Record<string, NodeConfig>>): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  const claim = (what: string, name: string, path: string[], value: unknown): void => {
    const owner = owners.get(what);
    const allowed = `a value of its own; ${owner ?? ""} has this one`;
    if (owner) problems.push({ path: ["nodes", name, ...path], value, allowed });
    else owners.set(what, name);
  };
  const names = Object.keys(nodes);
  for (const [name, { machine, network, primary }] of Object.entries(nodes)) {
    const unknown = typeof primary === "string" && !names.includes(primary);
    const allowed = `a node of this stack (${names.join(", ")}), or { address, port } of one elsewhere`;
    if (unknown) problems.push({ path: ["nodes", name, "primary"], value: primary, allowed });
    claim(`vm ${machine.vmId}`, name, ["machine", "vmId"], machine.vmId);
    claim(`ip ${addressOf(network.address)}`, name, ["network", "address"], network.address);
  }
  return problems;
}

function checkAddresses({ network }: NodeConfig, report: Report): void {
  const { address, gateway } = network;
  if (!isHostOf(address, addressOf(address))) {
    report(
      "network/address",
      address,
      "a host address, neither the network's base nor its broadcast",
    );
  }
  if (!isHostOf(address, gateway) || gateway === addressOf(address)) {
    report("network/gateway", gateway, `another host address of ${canonical(address)}`);
  }
}

function checkDisks({ machine, engine }: NodeConfig, report: Report): void {
  const root = engine.daemon["data-root"] ?? "/var/lib/docker";
  if (machine.dockerDisk && root !== "/var/lib/docker") {
    report("engine/daemon/data-root", root, "/var/lib/docker, where machine.dockerDisk is mounted");
  }
  if (!machine.dockerDisk && machine.disk.sizeGiB < 16) {
    report(
      "machine/disk/sizeGiB",
      machine.disk.sizeGiB,
      "at least 16 when it also holds /var/lib/docker",
    );
  }
}

function checkImage({ machine }: NodeConfig, report: Report): void {
  const { image, adopt, vmId } = machine;
  if (!image && !adopt) report("machine/image", image, "a cloud image or a template");
  if (image && "template" in image && image.template === vmId) {
    report("machine/image/template", image.template, "another VM id than the node's own");
  }
}

function checkFirewall({ network }: NodeConfig, report: Report): void {
  for (const [index, rule] of (network.firewall?.rules ?? []).entries()) {
    const path = `network/firewall/rules/${index}/port`;
    if (rule.proto === "icmp" && rule.port) report(path, rule.port, "no port with proto icmp");
    if (rule.proto !== "icmp" && !rule.port)
      report(path, undefined, `a port with proto ${rule.proto}`);
    const [low = 1, high = low] = (rule.port ?? "1").split(":").map(Number);
    if (low < 1 || high > 65535 || low > high)
      report(path, rule.port, "ports 1 to 65535, low first");
  }
}

function checkContainerNetworks(node: NodeConfig, report: Report): void {
  const { bip, "default-address-pools": pools = [] } = node.engine.daemon;
  const taken = new Map<string, string>();
  if (bip) taken.set("docker0", bip);
  for (const [index, pool] of pools.entries())
    taken.set(`default-address-pools.${index}`, pool.base);
  const bridgesOnly = new Map([["the node's network", node.network.address]]);
  for (const [name, network] of Object.entries(node.networks)) {
    const others = network.driver === "bridge" ? [...taken, ...bridgesOnly] : [...taken];
    const clash = others.find(([, other]) => overlaps(network.subnet, other));
    const path = `networks/${name}`;
    if (clash)
      report(`${path}/subnet`, network.subnet, `a subnet apart from ${clash[0]} (${clash[1]})`);
    else taken.set(`networks.${name}`, network.subnet);
    checkMembers(network, path, report);
  }
}

function checkMembers(network: NetworkConfig, path: string, report: Report): void {
  const { subnet, gateway } = network;
  const inside = `a host address of ${canonical(subnet)}`;
  if (canonical(subnet) !== subnet)
    report(`${path}/subnet`, subnet, `the network itself: ${canonical(subnet)}`);
  if (gateway && !isHostOf(subnet, gateway)) report(`${path}/gateway`, gateway, inside);
  if (network.driver === "bridge") return;
  if (network.range && !contains(subnet, network.range)) {
    report(`${path}/range`, network.range, `a part of ${canonical(subnet)}`);
  }
  for (const [name, excluded] of Object.entries(network.excluded)) {
    if (!isHostOf(subnet, excluded)) report(`${path}/excluded/${name}`, excluded, inside);
  }
}

/** What is adopted is declared too: its declaration says what it is, `adopt` only that it exists. */
function checkAdopted({ adopt, machine, ...node }: NodeConfig, report: Report): void {
  const names = { networks: Object.keys(adopt.networks), volumes: adopt.volumes };
  for (const kind of ["networks", "volumes"] as const) {
    for (const name of names[kind]) {
      if (!(name in node[kind])) report(`adopt/${kind}`, name, `a name declared under ${kind}`);
    }
  }
  if (adopt.agent && !node.portainer)
    report("adopt/agent", adopt.agent, "nothing, or a node with a portainer section");
  if (!machine.adopt && (adopt.agent ?? [...names.networks, ...names.volumes].length > 0))
    report("machine/adopt", false, "true with an adopt section: a new VM has nothing to adopt");
}

/**
 * At most 24 hours of a volume's or the VM's work may be lost (SPEC section 4), and no two kinds begin at
 * one time: on the node they would wait for one another, and pbs01 would get all load at once.
 */
function checkBackups({ backups }: NodeConfig, report: Report): void {
  if (!backups) return;
  const taken = new Map<string, string>();
  for (const kind of ["volumes", "configuration", "images", "vm"] as const) {
    const schedule = backups[kind]?.schedule;
    if (!schedule) continue;
    const path = `backups/${kind}/schedule`;
    const time = schedule.slice(-5);
    const other = taken.get(time);
    if (other) report(path, schedule, `a time of its own; ${other} begins at ${time}`);
    taken.set(time, kind);
    if ((kind === "volumes" || kind === "vm") && !isDaily(schedule))
      report(path, schedule, 'a time of day, such as "02:30": at most 24 hours may be lost');
  }
}
