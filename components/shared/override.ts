import * as pulumi from "@pulumi/pulumi";
import { merge } from "../../config/load";
import { isTree, type Tree } from "../../config/tree";

/*
 * Arguments of a resource that the configuration has no key for, as the provider names them. A transform in code could do
 * the same, but no plan would show it, and no check of the configuration would see it.
 */

/** Merges the override into the arguments: maps are merged, lists are replaced. */
export function applyOverride<T extends object>(args: T, override?: Tree): T {
  if (!override) return args;
  const envs = addEnvironment(args, override);
  return merge(args, envs ? { ...override, envs } : override) as T;
}

/** Merges environment variables by name, although Docker has them as a list. */
function addEnvironment(args: object, { envs }: Tree): unknown[] | undefined {
  if (!Array.isArray(envs) || !("envs" in args)) return undefined;
  const names = envs.map(nameOf);
  const kept = (args.envs as unknown[]).filter((one) => !names.includes(nameOf(one)));
  return [...kept, ...(envs as unknown[])];
}

/** Name of a variable. Undefined for a secret one, which therefore stays. */
const nameOf = (variable: unknown): string | undefined =>
  typeof variable === "string" ? variable.split("=", 1)[0] : undefined;

/** The ignored properties without the overridden ones, because an override must take effect. */
export function keepIgnored(ignored: readonly string[], override: Tree = {}): string[] {
  return ignored.filter((path) => !isOverridden(override, path.split(".")));
}

function isOverridden(tree: unknown, [key = "", ...rest]: readonly string[]): boolean {
  const name = key.replace(/\[.*/, "");
  if (!isTree(tree) || !Object.hasOwn(tree, name)) return false;
  return rest.length === 0 || !isTree(tree[name]) || isOverridden(tree[name], rest);
}

/** Warns at every preview about what is overridden, beside the resource. A plan shows the warning. */
export function announce(resource: pulumi.Resource, section: string, override?: Tree): void {
  if (!override) return;
  const keys = Object.keys(override).join(", ");
  void pulumi.log.warn(`override.${section}: ${keys}; docker-node does not check this`, resource);
}
