/** Which node a resource belongs to. */
import { nameOf, typeOf } from "../../clients/pulumi/urn";
import { mayBelongTo } from "../../config/names";
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
 * The node of a resource whose parents are not in the plan, guessed by its name: a part begins with the name of its owner. Of
 * several nodes it is the one with the longest name. A plan that failed may have no node, and then the component with the shortest
 * name stands for it: components are named after their node.
 */
function nodeByName(urn: string, all: readonly string[]): string {
  const ownNames = (urns: readonly string[]): string[] =>
    urns
      .map(nameOf)
      .filter((name) => mayBelongTo(nameOf(urn), name))
      .sort((a, b) => a.length - b.length);
  const nodes = ownNames(all.filter((other) => typeOf(other) === NODE));
  const components = ownNames(all.filter((other) => other.includes(`${NODE}$`)));
  return nodes.at(-1) ?? components[0] ?? nameOf(urn);
}
