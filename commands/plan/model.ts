/** What a preview says, independent of Pulumi's events and of how it is shown. */
import type { Look } from "../../clients/drift";

/** What happens to a resource. */
export type Action = "create" | "update" | "replace" | "delete" | "import" | "same";

/** A value of a property; secrets and unknowns have become markers before they get here. */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };
export type Properties = Readonly<Record<string, Value>>;

/** Replaces a value that is known only after an earlier resource was made. */
export const UNKNOWN = "(known after apply)";

/** One property that differs. */
export interface PropertyChange {
  /** As Pulumi writes it: `disks[1].size`. */
  readonly path: string;
  readonly before?: Value;
  readonly after?: Value;
  /** The difference is in a secret, so it is not shown. */
  readonly secret: boolean;
}

/** One resource that is not as the program declares it. */
export interface Change {
  readonly action: Exclude<Action, "same">;
  readonly urn: string;
  readonly type: string;
  /** Logical name, as in the program. */
  readonly name: string;
  /** Name of the node it belongs to, or `CLUSTER`. */
  readonly node: string;
  readonly properties: readonly PropertyChange[];
  /** Properties that make a replacement necessary; `replaceWith` is the machine below it. */
  readonly because: readonly string[];
  /** Pulumi cannot tell yet: the provider itself depends on something that changes. */
  readonly uncertain: boolean;
  /** Forgotten by Pulumi, but left where it is. */
  readonly retained: boolean;
  /** Inputs before and after, markers in place of secrets. For rules; never rendered whole. */
  readonly old: Properties;
  readonly new: Properties;
}

/** Where resources are listed that belong to no node. */
export const CLUSTER = "cluster";

/** A message of Pulumi, a provider or the program. */
export interface Diagnostic {
  readonly severity: "warning" | "error";
  readonly message: string;
  /** Logical names of the resources it is about. */
  readonly resources: readonly string[];
}

export type Counts = Readonly<Record<Action, number>>;

/** What happens to one node. */
export interface NodePlan {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly counts: Counts;
}

/** What was changed by hand on a node, or is going to be changed by the first run of a step. */
export interface NodeLook extends Look {
  readonly name: string;
}

/** A whole preview. */
export interface Plan {
  /** `drift`: what is recorded against what is really there, so that nothing is going to happen. */
  readonly kind: "preview" | "drift";
  readonly stack: string;
  /** The cluster first, then nodes by name. */
  readonly nodes: readonly NodePlan[];
  readonly counts: Counts;
  readonly diagnostics: readonly Diagnostic[];
  /**
   * Of a drift: the nodes on which something was changed by hand, or that could not be looked at. Of a preview: what steps are going to
   * change that run for the first time on a machine that is there; undefined without any.
   */
  readonly looks?: readonly NodeLook[];
  /** The preview failed, so the rest may be incomplete. */
  readonly failed: boolean;
}
