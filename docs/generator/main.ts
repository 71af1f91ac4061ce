/** Writes the generated pages and the record of the outputs; `--check` only says whether they are up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONTRACT } from "../../contract/schema";
import { configurationPage } from "./configuration";
import { outputFields, outputsPage, record, type OutputsRecord } from "./outputs";
import { risksPage } from "./risks";

const ROOT = join(__dirname, "..", "..");
const RECORD = "test/contract/outputs.json";

/** Generated files by path. Fails when an output is gone or changed and `CONTRACT` is what it was. */
function pages(): Record<string, string> {
  const recorded = JSON.parse(readFileSync(join(ROOT, RECORD), "utf8")) as OutputsRecord;
  return {
    "docs/reference/configuration.md": configurationPage(),
    "docs/reference/outputs.md": outputsPage(),
    "docs/reference/risks.md": risksPage(),
    [RECORD]: `${JSON.stringify(record(recorded, CONTRACT, outputFields()), null, 2)}\n`,
  };
}

function main(): void {
  for (const [path, text] of Object.entries(pages())) {
    const file = join(ROOT, path);
    if (!process.argv.includes("--check")) writeFileSync(file, text);
    else if (readFileSync(file, "utf8") !== text)
      throw new Error(`${path} is out of date: npm run docs`);
  }
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
