/** Writes the generated pages and the record of the outputs; `--check` only says whether they are up to date. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../clients/failure";
import { renderScript } from "../../commands/doctor/render";
import { CONTRACT } from "../../contract/schema";
import { drawArchitecture } from "./architecture";
import { commandsPage } from "./commands";
import { configurationPage } from "./configuration";
import { outputFields, outputsPage, recordOutputs, type OutputsRecord } from "./outputs";
import { privilegesPage } from "./privileges";
import { risksPage } from "./risks";
import { securityPage } from "./security";
import { STACK_SCHEMA, stackSchemaFile } from "./stack-schema";

const ROOT = join(__dirname, "..", "..");
const RECORD = "test/contract/outputs.json";

/** Generated files by path. Fails when an output is gone or changed and `CONTRACT` is what it was. */
async function makePages(): Promise<Record<string, string>> {
  const recorded = JSON.parse(readFileSync(join(ROOT, RECORD), "utf8")) as OutputsRecord;
  return {
    "commands/doctor/proxmox-role.sh": renderScript(),
    "docs/explanation/architecture.svg": await drawArchitecture(ROOT),
    "docs/reference/commands.md": commandsPage(),
    "docs/reference/configuration.md": configurationPage(),
    "docs/reference/outputs.md": outputsPage(),
    "docs/reference/proxmox-privileges.md": privilegesPage(),
    "docs/reference/risks.md": risksPage(),
    "docs/reference/security.md": securityPage(),
    [STACK_SCHEMA]: stackSchemaFile(),
    [RECORD]: `${JSON.stringify(recordOutputs(recorded, CONTRACT, outputFields()), null, 2)}\n`,
  };
}

async function main(): Promise<void> {
  for (const [path, text] of Object.entries(await makePages())) {
    const file = join(ROOT, path);
    if (!process.argv.includes("--check")) writeFileSync(file, text);
    else if (!existsSync(file) || readFileSync(file, "utf8") !== text)
      throw new Error(`${path} is out of date: npm run docs`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
});
