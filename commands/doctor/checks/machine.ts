/** Checks of each node's place in the cluster: Proxmox node, VM id, name, address, bridge. */
import { ask } from "../../../clients/proxmox";
import { interfaces, members } from "../../../clients/proxmox-answers";
import { listGuests } from "../../../clients/proxmox-guests";
import { ownAddresses } from "../../../config/own-networks";
import type { MachineConfig } from "../../../config/schema";
import { nameResource, PART } from "../../../config/names";
import { fail, nodesOf, pass, skip, warn, type Check, type Context, type Finding } from "../types";
import type { NamedNode } from "../types";
import { judgeNics } from "./bridges";
import { askCluster } from "./cluster";

type Get = (path: string) => Promise<unknown>;
type Question = (node: NamedNode, context: Context, get: Get) => Promise<Finding>;

const QUESTIONS: readonly (readonly [id: string, title: string, question: Question])[] = [
  ["host", "Proxmox node", checkHost],
  ["vm-id", "VM id", checkVmId],
  ["vm-name", "VM name", checkVmName],
  ["address", "address", checkAddress],
  ["bridge", "bridge, VLAN and MTU", checkBridge],
];

/** All these checks, for every node. */
export function machineChecks(context: Context): Check[] {
  return nodesOf(context).flatMap((node) =>
    QUESTIONS.map(([id, title, question]) => ({
      id: `${id}:${node[0]}`,
      title: `${node[0]}: ${title}`,
      run: askCluster((within, get) => question(node, within, get)),
    })),
  );
}

/** The Proxmox node on which a VM of the stack runs, or on which it will be created. */
async function findHost(vm: MachineConfig, { managed }: Context, get: Get): Promise<string> {
  const own = managed.has(vm.vmId) ? await listGuests(get) : [];
  return own.find(({ vmid }) => vmid === vm.vmId)?.node ?? vm.proxmoxNode;
}

async function checkHost(
  [name, { machine }]: NamedNode,
  context: Context,
  get: Get,
): Promise<Finding> {
  const actual = await findHost(machine, context, get);
  if (actual !== machine.proxmoxNode)
    return warn(
      `VM ${machine.vmId} is on ${actual}, and machine.proxmoxNode is ${machine.proxmoxNode}: only Proxmox can move it`,
      `pulumi refresh --stack ${context.stack} --target '**::${nameResource(name, PART.vm)}'  # then set machine.proxmoxNode to ${actual}`,
    );
  return checkMember(machine.proxmoxNode, get);
}

async function checkMember(host: string, get: Get): Promise<Finding> {
  const all = await ask(get, "/nodes", members);
  const found = all.find(({ node }) => node === host);
  if (!found) {
    const names = all.map(({ node }) => node).join(", ");
    return fail(`no ${host} in the cluster; it has ${names}`, adviseSetting("proxmoxNode"));
  }
  if (found.status === "online") return pass(host);
  return fail(`${host} is ${found.status ?? "unknown"}`, "pvecm status  # on any node");
}

const adviseSetting = (key: string): string => `set machine.${key} in the stack's configuration`;

/** Finds who has a VM id: nobody (`free`), this stack by its state (`own`), or somebody else (`other`). */
async function findHolder(vm: number, { managed }: Context, get: Get): Promise<Holder> {
  const taken = await get(`/cluster/nextid?vmid=${vm}`).then(
    () => false,
    () => true,
  );
  const guest = (await listGuests(get)).find(({ vmid }) => vmid === vm);
  if (!taken && !guest) return { kind: "free" };
  return {
    kind: managed.has(vm) ? "own" : "other",
    name: guest?.name ?? "the token may not see it",
  };
}

type Holder = { kind: "free" } | { kind: "own" | "other"; name: string };

async function checkVmId(
  [name, { machine }]: NamedNode,
  context: Context,
  get: Get,
): Promise<Finding> {
  const { vmId: id, adopt } = machine;
  const held = await findHolder(id, context, get);
  const set = (value: boolean): string =>
    `pulumi config set --path 'docker-node:nodes["${name}"].machine.adopt' ${value} --stack ${context.stack}`;
  if (held.kind === "own") return pass(`${id} belongs to this stack`);
  if (held.kind === "free") {
    if (context.managed.has(id))
      return warn(`${id} is in the stack's state, but no longer exists`, "pulumi refresh");
    return adopt ? fail(`there is no VM ${id} to adopt`, set(false)) : pass(`${id} is free`);
  }
  if (adopt) return pass(`${id} (${held.name}) exists and will be adopted`);
  return fail(
    `${id} is taken by another VM (${held.name})`,
    `${set(true)}  # or another machine.vmId`,
  );
}

async function checkVmName([name, { machine }]: NamedNode, _: Context, get: Get): Promise<Finding> {
  const same = (await listGuests(get)).find((guest) => guest.name === name);
  if (!same || same.vmid === machine.vmId) return pass("no other guest has this name");
  const what = `guest ${same.vmid ?? 0} on ${same.node ?? "?"} has this name too`;
  return warn(what, `qm set ${same.vmid ?? 0} --name <another name>  # or rename the node`);
}

async function checkAddress([, node]: NamedNode, context: Context, get: Get): Promise<Finding> {
  const held = await findHolder(node.machine.vmId, context, get);
  if (held.kind !== "free") return skip("the VM exists already");
  if (node.ssh.endpoint)
    return skip(
      "the node is reached through ssh.endpoint, so its address cannot be checked from here",
    );
  const own = ownAddresses(node);
  const answers = await Promise.all(own.map((one) => context.probe(one, 22)));
  const used = own.filter((_, index) => answers[index] !== "silent");
  if (used.length === 0) return pass(`nothing answers at ${own.join(", ")}`);
  const look = used.map((one) => `ip neighbour show ${one}  # whose is it?`);
  return fail(`something answers at ${used.join(", ")} already`, look.join("\n"));
}

async function checkBridge([, node]: NamedNode, context: Context, get: Get): Promise<Finding> {
  const host = await findHost(node.machine, context, get);
  return judgeNics(node, host, await ask(get, `/nodes/${host}/network`, interfaces));
}
