/** The command line as a whole: its statuses, its help, and that a production installation has all it needs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Command } from "commander";
import * as ts from "typescript";
import { makeProgram, runCommandLine } from "../../commands/cli";
import { terminal } from "../../commands/terminal";
import { dependencies } from "../../package.json";

const ROOT = join(__dirname, "..", "..");

const run = async (
  ...args: string[]
): Promise<{ status: number; out: string[]; err: string[] }> => {
  const [out, err]: [string[], string[]] = [[], []];
  const status = await runCommandLine(args, {
    print: (text) => out.push(text),
    warn: (text) => err.push(text),
    open: () => Promise.reject(new Error("it cannot be opened")),
  });
  return { status, out, err };
};

const program = makeProgram({ outside: terminal, end: () => undefined });
const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
const paths = all(program).map((command) => {
  const names: string[] = [];
  for (let one = command; one.parent; one = one.parent) names.unshift(one.name());
  return names;
});

test("has the commands a user needs", () => {
  expect(program.commands.map((command) => command.name())).toEqual(
    expect.arrayContaining(["doctor", "plan", "import", "backups", "restore"]),
  );
});

test.each(paths.map((names) => [names]))(
  "%j --help: an example that is understood, and the global options",
  async (names) => {
    const { status, out, err } = await run(...names, "--help");
    // Commander shows a default that is an empty list as it is in JavaScript.
    expect(out.join("\n")).not.toContain("(default: [])");
    expect([status, err]).toEqual([0, []]);
    const text = out.join("\n");
    expect(text).toContain("--stack <name>");
    expect(text).toContain("--json");
    const example = /\nExample:\n {2}npx docker-node (.+)$/.exec(text)?.[1];
    expect(example).toMatch(new RegExp(`^${names.join(" ")}`));
    // No option or argument of it is wrong; the stack is in no place where it could be opened.
    const tried = await run(...(example ?? "").split(" "), "--help");
    expect(tried.status).toBe(0);
  },
);

test.each([
  [["--nonsense"], /^error: unknown option '--nonsense'$/],
  [["frobnicate"], /^error: unknown command 'frobnicate'$/],
  [["plan", "--fail-on", "much"], /^error: option .* Allowed choices are info, caution, danger\.$/],
  [["import"], /^error: missing required argument 'vmid'$/],
  [["restore", "disk"], /^"disk"; allowed: container, volume, platform, vm$/],
  [["doctor", "--print-role", "--json"], /^--json does not go with --print-role$/],
  [["backups", "--server", "--json"], /^--json does not go with --server$/],
  [["plan", "--format", "markdown", "--json"], /^--json does not go with --format markdown$/],
])("%j: status 2, one line, and how to see the help", async (args, said) => {
  const { status, out, err } = await run(...args);
  expect([status, out]).toEqual([2, []]);
  expect(err).toEqual([
    expect.stringMatching(said),
    expect.stringMatching(/^How to use it: npx docker-node.* --help$/),
  ]);
});

test("without a command the help is shown, and that is wrong usage", async () => {
  const { status, out, err } = await run();
  expect([status, out]).toEqual([2, []]);
  expect(err.join("\n")).toMatch(/^Usage: npx docker-node [^]*Example:/);
});

test("what fails has status 1, and the options of all commands are understood before and after it", async () => {
  const failed = { status: 1, out: [], err: ["it cannot be opened"] };
  expect(await run("backups", "--stack", "x", "--json")).toEqual(failed);
  expect(await run("--stack", "x", "restore", "vm", "n")).toEqual(failed);
});

describe("npx docker-node", () => {
  const start = (args: string[], env: NodeJS.ProcessEnv = {}, cwd = ROOT) =>
    spawnSync(process.execPath, [join(ROOT, "commands/docker-node.mjs"), ...args], {
      cwd,
      env: { ...process.env, ...env },
      encoding: "utf8",
    });

  test("runs TypeScript as it stands, from any folder, and ends with the command's status", () => {
    const events = join(ROOT, "test/fixtures/plan/replace-vm.ndjson");
    const args = ["plan", "--events", events, "--fail-on", "danger"];
    const { status, stdout, stderr } = start(args, { NO_COLOR: "1" }, tmpdir());
    expect([status, stderr]).toEqual([3, ""]);
    expect(stdout).toContain("Plan for stack");
    expect(start(["plan", "--events", "no/such/file"]).status).toBe(1);
  });

  test("uses the compiled program if there is one", () => {
    const folder = mkdtempSync(join(tmpdir(), "compiled-"));
    try {
      const bin = join(folder, "docker-node.mjs");
      writeFileSync(bin, readFileSync(join(ROOT, "commands/docker-node.mjs")));
      writeFileSync(join(folder, "cli.js"), "exports.runCommandLine = async ([n]) => Number(n);\n");
      expect(spawnSync(process.execPath, [bin, "3"], { encoding: "utf8" }).status).toBe(3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("npm ci --omit=dev", () => {
  /** Files reached from one by its imports, with the packages they import. */
  function reach(entries: string[]): Map<string, string[]> {
    const found = new Map<string, string[]>();
    const visit = (file: string): void => {
      if (found.has(file)) return;
      const { importedFiles } = ts.preProcessFile(readFileSync(file, "utf8"), true, true);
      const names = importedFiles.map(({ fileName }) => fileName);
      found.set(
        file,
        names.filter((name) => !name.startsWith(".")),
      );
      for (const name of names.filter((one) => one.startsWith("."))) {
        const { resolvedModule } = ts.resolveModuleName(name, file, {}, ts.sys);
        if (resolvedModule?.extension === ".ts") visit(resolvedModule.resolvedFileName);
      }
    };
    for (const entry of entries) visit(join(ROOT, entry));
    return found;
  }

  const isThere = (name: string): boolean =>
    name.startsWith("node:") ||
    builtinModules.includes(name) ||
    Object.keys(dependencies).some((one) => name === one || name.startsWith(`${one}/`));

  test("has every package that the program, the contract and the commands import", () => {
    const files = reach(["index.ts", "commands/cli.ts", "contract/index.ts"]);
    expect(files.size).toBeGreaterThan(100);
    const lacking = [...files].flatMap(([file, names]) =>
      names.filter((name) => !isThere(name)).map((name) => `${relative(ROOT, file)}: ${name}`),
    );
    expect(lacking).toEqual([]);
    const outside = [...files.keys()].map((file) => relative(ROOT, file).split("/")[0]);
    expect(outside.filter((folder) => ["lab", "test", "docs"].includes(folder ?? ""))).toEqual([]);
  });

  test("has what the files beside them need: the loader, and the types that tsconfig.json names", () => {
    expect(isThere("tsx/cjs/api")).toBe(true);
    const file = join(ROOT, "tsconfig.json");
    const { config } = ts.readConfigFile(file, ts.sys.readFile.bind(ts.sys)) as {
      config: { compilerOptions: { types: string[] } };
    };
    const { types } = config.compilerOptions;
    expect(types.filter((name) => !isThere(`@types/${name}`))).toEqual([]);
    expect(isThere("typescript")).toBe(true);
  });
});

describe("what is under way", () => {
  const { isTTY } = process.stderr;
  afterEach(() => {
    process.stderr.isTTY = isTTY;
    jest.restoreAllMocks();
  });

  /** What is written on standard error. */
  const written = (onTerminal: boolean): string => {
    const texts: string[] = [];
    process.stderr.isTTY = onTerminal;
    jest.spyOn(process.stderr, "write").mockImplementation((text) => {
      texts.push(String(text));
      return true;
    });
    terminal.show("row 1 of 2");
    terminal.warn("row 1: held");
    return texts.join("");
  };

  test("is one line of a terminal, and the next text takes its place", () => {
    expect(written(true)).toBe("\r\u001b[Krow 1 of 2\r\u001b[Krow 1: held\n");
  });

  test("is nothing where there is no terminal", () => {
    expect(written(false)).toBe("row 1: held\n");
  });
});
