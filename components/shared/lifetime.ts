import type * as pulumi from "@pulumi/pulumi";

/**
 * Options of a resource that lives on a machine: it dies with the machine without being deleted one by
 * one (a delete against a gone host fails, pulumi-command#104), and is made anew with it.
 */
export function livesOn(machine: pulumi.Resource): pulumi.CustomResourceOptions {
  return { deletedWith: machine, replaceWith: [machine] };
}
