/** docs/reference/proxmox-privileges.md: its table, from the roles that the program needs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES } from "../../commands/doctor/privileges";
import { replaceBetween } from "../../commands/doctor/render";
import { tableRow } from "./schema-table";

const PAGE = join(__dirname, "..", "reference", "proxmox-privileges.md");

/** The page with the current roles; its other parts stay as they are. */
export function privilegesPage(): string {
  const rows = ROLES.flatMap(({ role, path, privileges }) =>
    privileges.map(({ name, reason }) =>
      tableRow([`\`${role}\``, `\`${path}\``, `\`${name}\``, reason]),
    ),
  );
  const table = ["| role | on | privilege | why |", "|---|---|---|---|", ...rows].join("\n");
  const [begin, end] = ["<!-- privileges: begin -->\n", "<!-- privileges: end -->"];
  return replaceBetween(readFileSync(PAGE, "utf8"), begin, end, `\n${table}\n\n`);
}
