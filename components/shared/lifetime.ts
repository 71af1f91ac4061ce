import type * as pulumi from "@pulumi/pulumi";

/**
 * Options of a resource that lives on a machine. When the machine is deleted, Pulumi drops it without deleting it, because
 * that would fail without the host (pulumi-command#104). When the machine is replaced, it is created again.
 */
export function livesOn(machine: pulumi.Resource): pulumi.CustomResourceOptions {
  return { deletedWith: machine, replaceWith: [machine] };
}
