/** The package as another repository gets it: packed, installed there without what only developers need, and used. */
import { execFileSync, type ExecFileSyncOptions } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { loadSettings } from "../../config/load";
import { ensurePulumi, pulumiEnv } from "../../lab/lib/pulumi";
import { COMMAND_NAMES } from "../support/commands";
import { privateKey } from "../support/key";
import { prodWith, stackConfig, stackFile } from "../support/settings";
import { TEMPLATE } from "../support/template";
import { log } from "./support";

jest.setTimeout(15 * 60_000);

const ROOT = path.join(__dirname, "../..");
const FIXTURES = path.join(ROOT, "test/fixtures/package");
const key = privateKey();

let folder = "";
const at = (...parts: string[]): string => path.join(folder, ...parts);
const run = (program: string, args: string[], options: ExecFileSyncOptions = {}): string =>
  execFileSync(program, args, { cwd: folder, encoding: "utf8", ...options }) as string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "docker-node-package-"));
  // The build is a script, and a user's npm may be told to run none.
  const pack = ["pack", "--silent", "--ignore-scripts=false", "--pack-destination", folder];
  const packed = run("npm", pack, { cwd: ROOT });
  const [archive = ""] = packed.trim().split("\n").slice(-1);
  fs.mkdirSync(at("unpacked"));
  run("tar", ["-xzf", archive, "-C", "unpacked"]);
  const dependencies = { "docker-node": `file:${archive}` };
  fs.writeFileSync(at("package.json"), JSON.stringify({ name: "elsewhere", dependencies }));
  run("npm", ["install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]);
  fs.mkdirSync(at("infrastructure"));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

test("it holds what is used, and nothing of tests and lab", () => {
  const files = run("find", ["unpacked/package", "-type", "f", "-printf", "%P\n"]).split("\n");
  for (const file of [
    ...["LICENSE", "README.md", "CHANGELOG.md", "commands/docker-node.mjs"],
    ...["commands/portainer-environment.mjs", "dist/commands/portainer/main.js"],
    ...["dist/index.js", "dist/contract/index.d.ts", "dist/node/daemon.sh"],
    ...[
      "dist/node/backup/Dockerfile",
      "dist/commands/doctor/proxmox-role.sh",
      "schema/stack.schema.json",
    ],
  ])
    expect(files).toContain(file);
  expect(files.filter((file) => /^(test|lab|\.lab|Pulumi)|^[a-z]+\.ts$/.test(file))).toEqual([]);
});

test("a program elsewhere previews the whole of production with it", async () => {
  const pulumi = await ensurePulumi(log);
  fs.writeFileSync(at("Pulumi.yaml"), "name: docker-node\nruntime: nodejs\n");
  fs.mkdirSync(at("state"));
  fs.copyFileSync(path.join(FIXTURES, "preview.cjs"), at("preview.cjs"));
  const raw = prodWith({ ssh: key.ssh });
  const input = JSON.stringify({
    config: stackConfig({ ...raw, proxmox: { endpoint: "https://127.0.0.1:1/" } }),
    home: pulumi.home,
    env: {
      ...pulumiEnv(pulumi),
      PULUMI_BACKEND_URL: `file://${at("state")}`,
      PULUMI_CONFIG_PASSPHRASE: "test",
    },
  });
  const env = { ...process.env, PULUMI_ROOT: pulumi.root };
  const summary = JSON.parse(run("node", ["preview.cjs"], { input, env })) as object;
  expect(Object.keys(summary)).toEqual(["create"]);
  expect((summary as { create: number }).create).toBeGreaterThan(25);
});

test.each(["es2020", "es2022"])(
  "a consumer compiles with the tsconfig.json of `pulumi new typescript`, target %s",
  (target) => {
    fs.copyFileSync(path.join(FIXTURES, "consumer.ts"), at("index.ts"));
    const compilerOptions = { ...TEMPLATE, target, noEmit: true };
    const tsconfig = { compilerOptions, files: ["index.ts"] };
    fs.writeFileSync(at("tsconfig.json"), JSON.stringify(tsconfig));
    run(path.join(ROOT, "node_modules/.bin/tsc"), ["--project", "."]);
  },
);

test("what the graph runs on the workstation is found from a folder of the project", () => {
  const line = `node -e "import('docker-node/portainer-environment')"`;
  const options = { cwd: at("infrastructure"), stdio: "pipe" } as const;
  // Nothing was ever registered, so there is nothing to remove.
  expect(run("sh", ["-c", `${line} remove`], options)).toBe("");
  expect(() => run("sh", ["-c", `${line} apply`], options)).toThrow(
    /PORTAINER_ENVIRONMENT is not JSON/,
  );
});

test("the scanner of images is found there, and the components from a program", () => {
  const scan = `import('docker-node/image-scan')`;
  const options = { cwd: at("infrastructure"), stdio: "pipe" } as const;
  expect(() => run("node", ["-e", scan], options)).toThrow(/IMAGE_SCAN is not JSON/);
  const print = `process.stdout.write(Object.keys(require("docker-node/components")).join(" "))`;
  expect(run("node", ["-e", print], options).split(" ")).toEqual(
    expect.arrayContaining(["DockerNode", "VirtualMachine", "DockerHost", "Backups"]),
  );
});

test("the script for the backup server is found from the project, in the installed package", () => {
  const server = at("node_modules/docker-node/dist/commands/backups/server.js");
  const print = `
    const { serverCommands } = require(${JSON.stringify(server)});
    const [command] = serverCommands(JSON.parse(process.argv[1]));
    process.stdout.write(command.replace(/ \\| ssh .*/, ""));`;
  const settings = JSON.stringify(loadSettings(stackFile("prod")));
  const files = run("node", ["-e", print, settings]);
  expect(files).toBe("cat node_modules/docker-node/dist/commands/backups/pbs-server/*.sh");
  expect(run("sh", ["-c", files])).toMatch(/^main "\$@" <\/dev\/null$/m);
});

test("its command line runs without a developer's packages", () => {
  const help = run(at("node_modules/.bin/docker-node"), ["--help"]);
  for (const command of COMMAND_NAMES) expect(help).toMatch(new RegExp(`^  ${command} `, "m"));
});
