/** Writes the roles of privileges.json into the script that makes them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES, pathsOf, type Role } from "./privileges";
import type { NamedNode } from "./types";

const SCRIPT = join(__dirname, "proxmox-role.sh");

/** Renders the roles as shell arrays: their privileges, and whether they propagate. */
function shellRoles(): string {
  const linesOf = ({ role, privileges, propagate }: Role): string[] => [
    `PRIVS[${role}]="${privileges.map(({ name }) => name).join(" ")}"`,
    `BELOW[${role}]=${propagate ? 1 : 0}`,
  ];
  return ROLES.flatMap(linesOf).join("\n");
}

/**
 * Replaces the part of a text between `begin` and `end`.
 * @throws Error when the text has no such part
 */
export function replaceBetween(text: string, begin: string, end: string, content: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`the file has no part between "${begin}" and "${end}"`);
  return text.slice(0, from + begin.length) + content + text.slice(to);
}

/** Returns the script with the current roles. */
export function renderScript(text = readFileSync(SCRIPT, "utf8")): string {
  return replaceBetween(text, "# privileges: begin\n", "# privileges: end", `${shellRoles()}\n`);
}

/** Returns the script for a stack, with the paths of its configuration as default arguments. */
export function scriptFor(nodes: readonly NamedNode[]): string {
  return renderScript().replace("# arguments\n", `set -- ${listGrants(nodes).join(" ")} "$@"\n`);
}

/** `--grant ROLE PATH` for every path of the nodes, each once. For VMs it is `/vms`: a grant on one VM goes with the VM. */
export function listGrants(nodes: readonly NamedNode[]): string[] {
  const all = ROLES.flatMap((role) => {
    const needed = nodes.flatMap((node) => pathsOf(role, node));
    const paths = role.path === "/vms" && needed.length > 0 ? ["/vms"] : needed;
    return paths.map((path) => `--grant ${role.role} ${path}`);
  });
  return [...new Set(all)];
}
