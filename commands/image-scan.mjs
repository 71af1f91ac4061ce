// Started by the graph on the workstation, by the package's name: `import("docker-node/image-scan")`.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { URL } from "node:url";

const places = [
  "./image-scan/main.js",
  "./image-scan/main.ts",
  "../dist/commands/image-scan/main.js",
];
const place = places.find((one) => existsSync(new URL(one, import.meta.url)));
if (place === "./image-scan/main.ts") (await import("tsx/cjs/api")).register();
const { runScan } = createRequire(import.meta.url)(place);
const { code, stdout, stderr } = await runScan(process.env);
if (stdout) process.stdout.write(`${stdout}\n`);
if (stderr) process.stderr.write(`${stderr}\n`);
process.exitCode = code;
