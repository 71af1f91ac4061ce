/**
 * A checkout after `npm ci --omit=dev`, with NODE_ENV=production: the program previews, its types are checked as Pulumi's
 * language host does it, and every command runs. The packages are those that package-lock.json does not mark as
 * development's; nothing is downloaded.
 */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMAND_NAMES } from "../support/commands";
import { ROOT, read } from "../support/documents";
import { privateKey } from "../support/key";
import { prodWith, stackConfig } from "../support/settings";

interface Locked {
  readonly dev?: boolean;
  readonly link?: boolean;
}
const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> };
const production = Object.entries(packages).flatMap(([path, { dev, link }]) =>
  // A package within a package comes with it; one for another system is not there.
  /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev && !link && existsSync(join(ROOT, path))
    ? [path]
    : [],
);

const PRODUCT = [
  ...[
    "index.ts",
    "clients",
    "commands",
    "components",
    "config",
    "contract",
    "node",
    "schema",
    "lab",
  ],
  ...["package.json", "tsconfig.json", "Pulumi.yaml", "Pulumi.prod.yaml"],
];

/** Pulumi's CLI, as far as the commands ask it: a configuration, and no deployment. */
const PULUMI = `#!/usr/bin/env bash
case "$1 $2" in
  "config --show-secrets") cat "$(dirname "$0")/config.json" ;;
  *) exit 255 ;;
esac
`;

// A whole program is compiled: a busy machine takes minutes.
jest.setTimeout(300_000);

const key = privateKey();
const configuration = (): ReturnType<typeof stackConfig> =>
  stackConfig({ ...prodWith({ ssh: key.ssh }), proxmox: { endpoint: "https://127.0.0.1:1/" } });

let folder = "";
let checkout = "";

/** Copies files of the repository into the checkout; whether it could. */
const copy = (how: string, paths: readonly string[]): boolean =>
  spawnSync("cp", [how, "--parents", "-t", checkout, ...paths], { cwd: ROOT }).status === 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-production-"));
  checkout = join(folder, "checkout");
  mkdirSync(checkout);
  copy("-r", PRODUCT);
  // Links take no time, but reach no other file system.
  if (!copy("-al", production)) copy("-a", production);
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "pulumi"), PULUMI, { mode: 0o755 });
  writeFileSync(join(bin, "config.json"), JSON.stringify(configuration()));
  mkdirSync(join(checkout, "node_modules/.bin"));
  symlinkSync("../tsx/dist/cli.mjs", join(checkout, "node_modules/.bin/tsx"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, args: string[], input = ""): SpawnSyncReturns<string> {
  const PATH = `${join(folder, "bin")}:${process.env.PATH ?? ""}`;
  const env = { ...process.env, PATH, NODE_ENV: "production", NO_COLOR: "1" };
  return spawnSync(program, args, { cwd: checkout, env, input, encoding: "utf8" });
}

test("none of the packages is a developer's", () => {
  expect(production.length).toBeGreaterThan(50);
  for (const name of ["jest", "@types/jest", "eslint", "prettier"])
    expect(existsSync(join(checkout, "node_modules", name))).toBe(false);
});

test("the program compiles and previews", () => {
  const values = Object.entries(configuration()).map(([name, { value }]) => [name, value]);
  const script = join(ROOT, "test/fixtures/production/preview.cjs");
  const { status, stdout, stderr } = run(
    process.execPath,
    [script],
    JSON.stringify(Object.fromEntries(values)),
  );
  // No cluster answers, which the program warns of.
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const types = JSON.parse(stdout) as string[];
  expect(types).toContain("proxmoxve:index/vmLegacy:VmLegacy");
  expect(types.length).toBeGreaterThan(25);
});

/** Command lines, their status, and what they say. No node is up, so some end where they ask one. */
const LINES: readonly (readonly [string, number, RegExp])[] = [
  ...COMMAND_NAMES.map(
    (name) => [`${name} --help`, 0, new RegExp(`^Usage: npx docker-node ${name} `)] as const,
  ),
  ["plan --events EVENTS --fail-on danger", 3, /^Plan for stack/],
  ["doctor --print-role", 0, /pveum role/],
  ["import 2014 --ssh ubuntu@127.0.0.1:1", 1, /127\.0\.0\.1:1/],
  ["backups", 1, /PBS_RESTORE_TOKEN_ID/],
  [
    "backups --server",
    0,
    /^cat commands\/backups\/pbs-server\/\*\.sh \| ssh root@10\.25\.10\.12 bash -s -- /,
  ],
  ["restore container proj-docker02 x", 1, /PBS_RESTORE_TOKEN_ID/],
  ["validate", 3, /\n0 held, 0 not held, /],
];

test("every command runs", () => {
  const events = join(ROOT, "test/fixtures/plan/replace-vm.ndjson");
  const lines = LINES.map(([line]) => line.replace("EVENTS", events).split(" "));
  const script = join(ROOT, "test/fixtures/production/commands.cjs");
  const { stdout, stderr } = run(process.execPath, [script], JSON.stringify(lines));
  expect(stderr).toBe("");
  const results = JSON.parse(stdout) as { status: number; text: string }[];
  const wanted = LINES.map(([line, status, text]) => [
    line,
    { status, text: expect.stringMatching(text) as string },
  ]);
  expect(LINES.map(([line], index) => [line, results[index]])).toEqual(wanted);
});

test("npm run drill has its packages", () => {
  const { status, stderr } = run("npm", ["run", "--silent", "drill", "--", "--help"]);
  expect([status, stderr]).toEqual([0, ""]);
});
