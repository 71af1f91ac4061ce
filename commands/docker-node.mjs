#!/usr/bin/env node
// The command line: compiled where a package was built, otherwise TypeScript as it stands, by tsx.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { URL } from "node:url";

const places = ["./cli.js", "./cli.ts", "../dist/commands/cli.js"];
const place = places.find((one) => existsSync(new URL(one, import.meta.url)));
if (place === "./cli.ts") (await import("tsx/cjs/api")).register();
const { runCommandLine } = createRequire(import.meta.url)(place);
// A reader such as head that has seen enough is no fault.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
});
process.exitCode = await runCommandLine(process.argv.slice(2));
