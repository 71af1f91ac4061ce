// Started by the graph on the workstation, by the package's name: `import("docker-node/portainer-environment")`.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { URL } from "node:url";

const places = ["./portainer/main.js", "./portainer/main.ts", "../dist/commands/portainer/main.js"];
const place = places.find((one) => existsSync(new URL(one, import.meta.url)));
if (place === "./portainer/main.ts") (await import("tsx/cjs/api")).register();
const { runOperation } = createRequire(import.meta.url)(place);
const { code, stdout, stderr } = await runOperation(process.argv.at(-1), process.env);
if (stdout) process.stdout.write(`${stdout}\n`);
if (stderr) process.stderr.write(`${stderr}\n`);
process.exitCode = code;
