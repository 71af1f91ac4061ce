/** Which node a resource belongs to. */
import { nameOf, typeOf } from "../../clients/pulumi/urn";
import { NODE } from "../../config/resource-types";
import { CLUSTER } from "./model";

interface Placed {
  readonly urn: string;
  readonly old?: { readonly parent?: string };
  readonly new?: { readonly parent?: string };
}

/** A function that climbs from a resource to the `DockerNode` above it. */
export function nodeNames(steps: readonly Placed[]): (step: Placed) => string {
  const parents = new Map(steps.map((step) => [step.urn, parentOf(step)]));
  const climb = (urn: string): string => {
    if (typeOf(urn) === NODE) return nameOf(urn);
    const parent = parents.get(urn);
    if (parent) return climb(parent);
    const all = [...parents.keys(), ...parents.values()];
    return urn.includes(`${NODE}$`) ? nodeByName(urn, all) : CLUSTER;
  };
  return (step) => climb(step.urn);
}

const parentOf = (step: Placed): string => step.new?.parent ?? step.old?.parent ?? "";

/**
 * A parent without a step of its own: children carry its name in front of theirs. Where a plan that failed
 * has no node at all, its components are named after it, or have its name in front.
 */
function nodeByName(urn: string, all: readonly string[]): string {
  const ownNames = (urns: readonly string[]): string[] =>
    urns
      .map(nameOf)
      .filter((name) => `${nameOf(urn)}-`.startsWith(`${name}-`))
      .sort((a, b) => a.length - b.length);
  const nodes = ownNames(all.filter((other) => typeOf(other) === NODE));
  const components = ownNames(all.filter((other) => other.includes(`${NODE}$`)));
  return nodes.at(-1) ?? components[0] ?? nameOf(urn);
}
