import * as pulumi from "@pulumi/pulumi";
import { explainRefusal, REMOVAL_HOOK } from "../../config/removal";

/** Options of machines and volumes, which can be deleted only after their protection is lifted. */
export function protectWhile(
  protect: boolean,
  guard?: pulumi.ResourceHook,
): pulumi.CustomResourceOptions {
  return { protect, ...(protect && guard ? { hooks: { beforeDelete: [guard] } } : {}) };
}

/**
 * Registers a hook that explains why a protected machine or volume is not deleted, and how to delete it. Pulumi itself
 * refuses too, but advises `pulumi state unprotect`, after which Proxmox still refuses. The hook runs before that. There is
 * one hook for the whole stack, always: Pulumi finds it by name, even for a node that the program no longer declares.
 *
 * @param nodes names of the nodes that are declared
 */
export function guardRemoval(nodes: readonly string[]): pulumi.ResourceHook {
  const refuse = (removed: pulumi.ResourceHookArgs): never => {
    throw new Error(explainRefusal(removed, nodes));
  };
  return new pulumi.ResourceHook(REMOVAL_HOOK, refuse, { onDryRun: true });
}
