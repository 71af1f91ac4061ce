import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import { nameResource, PART } from "../../config/names";
import type { NodeConfig } from "../../config/schema";
import type { RecordedNode } from "../../node/recorded";
import { adoptVm } from "../shared/adoption";
import { announce, applyOverride, keepIgnored } from "../shared/override";
import { protectWhile } from "../shared/protection";
import { createAvailability } from "./availability";
import { createFirewall } from "./vm-firewall";
import { vmArgs } from "./vm-args";

/** What the VM needs. */
export interface VirtualMachineArgs {
  /** The node, as configured. */
  node: NodeConfig;
  /** Volume id of the cloud image, if the machine is made from one. */
  imageVolumeId?: pulumi.Input<string>;
  /** What the stack's state has of the machine; undefined for a new one. */
  recorded?: RecordedNode;
  /** Refuses to delete the machine while it is protected; see `guardRemoval`. */
  guard?: pulumi.ResourceHook;
}

/**
 * Properties whose changes must never reach an existing machine, each with its reason. With these ignored, only another VM id
 * replaces a VM.
 */
export const IGNORED_CHANGES: readonly string[] = [
  // Proxmox decides where a VM runs: high availability or a person moves it, and `pulumi refresh` reads its new node.
  // The provider would replace the VM instead (terraform-provider-proxmox, vm.go, ForceNewIf of node_name).
  "nodeName",
  // The image is only the source of the disk. A new image is for new machines.
  "disks[0].importFrom",
  // The source of a clone, for the same reason.
  "clone",
  // The provider fills an unset block with zeros, but does not accept zeros as input.
  "disks[0].speed",
  "disks[1].speed",
  // cloud-init sets user and keys on the first boot only. After that, access.sh maintains them
  // (pulumi-proxmoxve#513, terraform-provider-proxmox#1622).
  "initialization.userAccount",
];

/**
 * Properties of a node's VM whose changes are ignored. A search domain that is no longer declared is one of them: the
 * provider cannot remove it (terraform-provider-proxmox, vm.go, vmGetCloudInitConfig), so every preview would show the
 * change again, and every `up` could reboot the VM.
 */
export function ignoredChanges({ network }: NodeConfig): string[] {
  const undeclared = network.searchDomain === undefined ? ["initialization.dns.domain"] : [];
  return [...IGNORED_CHANGES, ...undeclared];
}

/**
 * A QEMU virtual machine on Proxmox VE with its disks, cloud-init and NIC firewall.
 *
 * The first boot needs only user, keys and address. Proxmox itself passes them to cloud-init, so no snippet has to be
 * uploaded, and the program needs no SSH access to the Proxmox host.
 *
 * `VmLegacy` is the mature resource; the provider marks the plain `Vm` as experimental.
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
    createAvailability(name, args.node, this.vm, args.recorded, this);
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
    nameResource(name, PART.vm),
    applyOverride(vmArgs(name, node, { imageVolumeId, ipConfigs: recorded?.ipConfigs }), override),
    {
      parent,
      ...protectWhile(node.machine.protect, guard),
      // Two VMs cannot share an id, so the old one is deleted before its replacement is created.
      deleteBeforeReplace: true,
      ignoreChanges: [...ignoredChanges(node), ...keepIgnored(ignoreChanges, override)],
      ...adopted,
    },
  );
  announce(vm, "machine", override);
  return vm;
}
