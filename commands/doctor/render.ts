/** Writes what follows from privileges.json into the script and the page about it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES, pathsOf, type Role } from "./privileges";
import type { NamedNode } from "./types";

export const SCRIPT = join(__dirname, "proxmox-role.sh");
export const PAGE = join(__dirname, "..", "..", "docs", "reference", "proxmox-privileges.md");

/** The roles as entries of shell arrays: privileges, and whether they hold below the path too. */
function shellRoles(): string {
  const line = ({ role, privileges, propagate }: Role): string[] => [
    `PRIVS[${role}]="${privileges.map(({ name }) => name).join(" ")}"`,
    `BELOW[${role}]=${propagate ? 1 : 0}`,
  ];
  return ROLES.flatMap(line).join("\n");
}

function pageTable(): string {
  const rows = ROLES.flatMap(({ role, path, privileges }) =>
    privileges.map(({ name, reason }) => `| \`${role}\` | \`${path}\` | \`${name}\` | ${reason} |`),
  );
  return ["| role | on | privilege | why |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** The text with the part between `begin` and `end` replaced. */
function between(text: string, begin: string, end: string, content: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no "${begin}" … "${end}" to write between`);
  return text.slice(0, from + begin.length) + content + text.slice(to);
}

/** The script as it should be. */
export function renderScript(text = readFileSync(SCRIPT, "utf8")): string {
  return between(text, "# privileges: begin\n", "# privileges: end", `${shellRoles()}\n`);
}

/** The page as it should be. */
export function renderPage(text = readFileSync(PAGE, "utf8")): string {
  return between(
    text,
    "<!-- privileges: begin -->\n",
    "<!-- privileges: end -->",
    `\n${pageTable()}\n\n`,
  );
}

/** Brings both files up to date; prettier then aligns the page's table. */
export function update(): void {
  writeFileSync(SCRIPT, renderScript());
  writeFileSync(PAGE, renderPage());
}

/** The script for a stack: the paths its configuration names are its arguments. */
export function scriptFor(nodes: readonly NamedNode[]): string {
  return renderScript().replace("# arguments\n", `set -- ${grants(nodes).join(" ")} "$@"\n`);
}

/** `--grant ROLE PATH` for every path of the nodes, each once; VMs stay `/vms`, which outlives a VM. */
export function grants(nodes: readonly NamedNode[]): string[] {
  const all = ROLES.flatMap((role) => {
    const paths = role.path === "/vms" ? ["/vms"] : nodes.flatMap((node) => pathsOf(role, node));
    return paths.map((path) => `--grant ${role.role} ${path}`);
  });
  return [...new Set(all)];
}
