import * as pulumi from "@pulumi/pulumi";
import { merge } from "../../config/load";
import { isTree, type Tree } from "../../config/tree";

/*
 * The way out where the configuration has no word for something: arguments of a resource, as its provider has
 * them. A transform would do the same in code, which no plan shows and no check of the configuration sees.
 */

/** The arguments with the override on top: maps merge, lists are replaced. */
export function applyOverride<T extends object>(args: T, override?: Tree): T {
  if (!override) return args;
  const envs = environment(args, override);
  return merge(args, envs ? { ...override, envs } : override) as T;
}

/** Variables are a map, though Docker has them as a list: those of another name stay. */
function environment(args: object, { envs }: Tree): unknown[] | undefined {
  if (!Array.isArray(envs) || !("envs" in args)) return undefined;
  const names = envs.map(nameOf);
  const kept = (args.envs as unknown[]).filter((one) => !names.includes(nameOf(one)));
  return [...kept, ...(envs as unknown[])];
}

/** Name of a variable. A secret variable has none here, so it stays. */
const nameOf = (variable: unknown): string | undefined =>
  typeof variable === "string" ? variable.split("=", 1)[0] : undefined;

/** The ignored properties without the overridden ones, because an override must take effect. */
export function stillIgnored(ignored: readonly string[], override: Tree = {}): string[] {
  return ignored.filter((path) => !overrides(override, path.split(".")));
}

function overrides(tree: unknown, [key = "", ...rest]: readonly string[]): boolean {
  const name = key.replace(/\[.*/, "");
  if (!isTree(tree) || !Object.hasOwn(tree, name)) return false;
  return rest.length === 0 || !isTree(tree[name]) || overrides(tree[name], rest);
}

/** Warns at every preview about what is overridden, beside the resource. A plan shows the warning. */
export function announce(resource: pulumi.Resource, section: string, override?: Tree): void {
  if (!override) return;
  const keys = Object.keys(override).join(", ");
  void pulumi.log.warn(`override.${section}: ${keys}; docker-node does not check this`, resource);
}
