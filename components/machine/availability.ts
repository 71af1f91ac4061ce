import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import type { NodeConfig } from "../../config/schema";
import { nameResource } from "../../config/names";
import type { RecordedNode } from "../../node/recorded";

type Opts = pulumi.CustomResourceOptions;

/**
 * Declares what keeps a machine available: that Proxmox restarts it elsewhere, where it may run, and copies of its disks.
 * Nothing of it unless it is configured. All of it goes before the VM does: Proxmox knows it by the VM's id.
 */
export function createAvailability(
  name: string,
  node: NodeConfig,
  vm: proxmox.VmLegacy,
  recorded: RecordedNode | undefined,
  parent: pulumi.Resource,
): void {
  const opts = { parent, dependsOn: [vm], replaceWith: [vm] };
  createHighAvailability(name, node, vm, opts);
  createReplication(name, node, vm, recorded, opts);
}

function createHighAvailability(
  name: string,
  { machine }: NodeConfig,
  vm: proxmox.VmLegacy,
  opts: Opts,
): void {
  if (!machine.highAvailability) return;
  const { maxRestart, maxRelocate, nodes, strict } = machine.highAvailability;
  const resourceId = pulumi.interpolate`vm:${vm.vmId}`;
  const resource = new proxmox.Haresource(
    nameResource(name, "ha"),
    { resourceId, type: "vm", state: "started", maxRestart, maxRelocate },
    opts,
  );
  if (!nodes) return;
  const rule = `docker-node-${machine.vmId}`;
  new proxmox.Harule(
    nameResource(name, "ha-rule"),
    { rule, type: "node-affinity", resources: [resourceId], nodes, strict, disable: false },
    { ...opts, dependsOn: [resource] },
  );
}

/** A VM that has moved to the target is copied to where it came from: Proxmox turns the job round (pve-guest-common). */
function createReplication(
  name: string,
  { machine }: NodeConfig,
  vm: proxmox.VmLegacy,
  recorded: RecordedNode | undefined,
  opts: Opts,
): void {
  if (!machine.replication) return;
  const { target, schedule, maxMBps } = machine.replication;
  new proxmox.Replication(
    nameResource(name, "replication"),
    {
      resourceId: pulumi.interpolate`${vm.vmId}-0`,
      type: "local",
      target: recorded?.proxmoxNode === target ? machine.proxmoxNode : target,
      schedule,
      rate: maxMBps,
      disable: false,
    },
    opts,
  );
}
