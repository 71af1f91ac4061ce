import * as pulumi from "@pulumi/pulumi";
import { refusal, REMOVAL_HOOK } from "../../config/removal";

/** Options of resources that are deleted only after their protection was lifted: machines, and the volumes on them. */
export function protectedWhile(
  protect: boolean,
  guard?: pulumi.ResourceHook,
): pulumi.CustomResourceOptions {
  return { protect, ...(protect && guard ? { hooks: { beforeDelete: [guard] } } : {}) };
}

/**
 * Says why a protected machine or volume is not deleted, and how it can be. Pulumi refuses by itself, in
 * the preview already, but advises `pulumi state unprotect`, after which Proxmox still refuses. A hook is asked
 * before that. One for a whole stack, and always: Pulumi looks for it by name, also on behalf of a node
 * that the program does not declare any more.
 *
 * @param nodes names of the nodes that are declared
 */
export function guardRemoval(nodes: readonly string[]): pulumi.ResourceHook {
  const refuse = (removed: pulumi.ResourceHookArgs): never => {
    throw new Error(refusal(removed, nodes));
  };
  return new pulumi.ResourceHook(REMOVAL_HOOK, refuse, { onDryRun: true });
}
