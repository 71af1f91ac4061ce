import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import type { RecordedNode } from "../../node/recorded";
import { adoptVm } from "../shared/adoption";
import { announce, applyOverride, stillIgnored } from "../shared/override";
import { protectedWhile } from "../shared/protection";
import { createFirewall } from "./vm-firewall";
import { vmArgs } from "./vm-args";

export interface VirtualMachineArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Volume id of the cloud image, when the machine is made from one. */
  imageVolumeId?: pulumi.Input<string>;
  /** What the state has of it; undefined for a new one. */
  recorded?: RecordedNode;
  /** Refuses to delete the machine while it is protected; see `guardRemoval`. */
  guard?: pulumi.ResourceHook;
}

/**
 * Properties that must never reach an existing machine, one reason each. With them, only a change of
 * identity (VM id, datastore) replaces a VM.
 */
export const IGNORED_CHANGES: readonly string[] = [
  // Where a VM runs is Proxmox's matter: high availability or a person moves it, `pulumi refresh` reads where to, and
  // upstream would make it anew for another node (terraform-provider-proxmox, vm.go, ForceNewIf of node_name).
  "nodeName",
  // The image is where the disk came from, not what it is: a new one is for new machines.
  "disks[0].importFrom",
  // A clone's source, for the same reason.
  "clone",
  // Upstream fills an unset block with zeros, and does not take zeros for it either.
  "disks[0].speed",
  "disks[1].speed",
  // Keys and user are cloud-init's on the first boot only; afterwards access.sh keeps them
  // (pulumi-proxmoxve#513, terraform-provider-proxmox#1622).
  "initialization.userAccount",
];

/**
 * Properties of a node's VM that never reach an existing one. A search domain that is no longer declared is among
 * them: the provider sends no empty one and takes none away (terraform-provider-proxmox, vm.go,
 * vmGetCloudInitConfig), so that every preview would want it gone, and every `up` could reboot the VM.
 */
export function ignoredChanges({ network }: NodeConfig): string[] {
  const undeclared = network.searchDomain === undefined ? ["initialization.dns.domain"] : [];
  return [...IGNORED_CHANGES, ...undeclared];
}

/**
 * A QEMU virtual machine on Proxmox VE with its disks, cloud-init and NIC firewall.
 *
 * First boot needs nothing but user, keys and address, which Proxmox itself hands to cloud-init: no
 * snippet, so the API token needs no SSH access to the Proxmox host.
 *
 * `VmLegacy` is the mature resource; the plain `Vm` is marked experimental upstream.
 */
export class VirtualMachine extends pulumi.ComponentResource {
  /** The Proxmox VM itself. */
  readonly vm: proxmox.VmLegacy;
  /** VM id. */
  readonly vmId: pulumi.Output<number>;

  constructor(name: string, args: VirtualMachineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("docker-node:components:VirtualMachine", name, {}, opts);
    this.vm = createVm(name, args, this);
    createFirewall(name, args.node, this.vm, this);
    this.vmId = this.vm.vmId;
    this.registerOutputs({ vmId: this.vmId });
  }
}

function createVm(
  name: string,
  { node, imageVolumeId, recorded, guard }: VirtualMachineArgs,
  parent: pulumi.Resource,
): proxmox.VmLegacy {
  const { ignoreChanges = [], ...adopted } = adoptVm(node, recorded !== undefined);
  const override = node.override?.machine;
  const vm = new proxmox.VmLegacy(
    `${name}-vm`,
    applyOverride(vmArgs(name, node, imageVolumeId), override),
    {
      parent,
      ...protectedWhile(node.machine.protect, guard),
      // Two VMs cannot share an id, so a replacement has to make room first.
      deleteBeforeReplace: true,
      ignoreChanges: [...ignoredChanges(node), ...stillIgnored(ignoreChanges, override)],
      ...adopted,
    },
  );
  announce(vm, "machine", override);
  return vm;
}
