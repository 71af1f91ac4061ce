/** The lab's command line: its help, wrong usage, and what it passes on. No lab is started. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Command } from "commander";
import { makeLab } from "../../lab/cli";
import { runProgram } from "../../commands/program";
import { terminal } from "../../commands/terminal";

interface Said {
  readonly status: number;
  readonly out: string;
  readonly err: string[];
}

async function run(...args: string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const outside = {
    print: (text: string) => out.push(text),
    warn: (text: string) => err.push(text),
  };
  const status = await runProgram(makeLab, args, outside);
  return { status, out: out.join("\n"), err };
}

const program = (): Command => makeLab({ outside: terminal, end: () => undefined });
const names = program().commands.map((command) => command.name());

test("has the commands that are documented", () => {
  const documented = "up preview refresh destroy status ssh consumer save load build run down";
  expect(names).toEqual(expect.arrayContaining(documented.split(" ")));
});

test.each([[""], ...names.map((name) => [name])])("%s --help: an example of it", async (name) => {
  const words = name ? [name] : [];
  const { status, out, err } = await run(...words, "--help");
  expect([status, err]).toEqual([0, []]);
  expect(out).toMatch(new RegExp(`\nExample:\n {2}npm run lab${name && ` -- ${name}`}( |$)`));
});

test.each([
  [["frobnicate"], /^error: unknown command 'frobnicate'$/],
  [["--nonsense"], /^error: unknown option '--nonsense'$/],
  [["up", "--nonsense"], /^error: unknown option '--nonsense'$/],
  [["down", "all"], /^error: too many arguments for 'down'/],
  [["load"], /^error: missing required argument 'name'$/],
  [["load", "Never Saved"], /^name of a saved lab: "Never Saved"; allowed: 1 to 32 /],
  [["load", "never-saved"], /^there is no lab "never-saved"; saved: /],
  [["save"], /^error: missing required argument 'name'$/],
  [["save", "No Name"], /^name of a saved lab: "No Name"; allowed: 1 to 32 /],
  [["consumer"], /^error: missing required argument 'operation'$/],
  [["consumer", "preview"], /^"preview"; allowed: up, destroy$/],
  [["run"], /^error: missing required argument 'command'$/],
])("%j: status 2, one line, and how to see the help", async (args, said) => {
  const { status, out, err } = await run(...args);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toEqual([
    expect.stringMatching(said),
    expect.stringMatching(/^How to use it: npm run lab --.* --help$/),
  ]);
});

/** The arguments that a command gets from a line, which it does not perform. */
async function given(...line: string[]): Promise<string[] | undefined> {
  let got: string[] | undefined;
  const lab = program();
  for (const command of lab.commands) command.action(() => void (got = command.args));
  await lab.parseAsync(line, { from: "user" });
  return got;
}

test.each([
  ["ssh", "docker", "info"],
  ["ssh", "docker", "ps", "--all", "--help"],
  ["ssh", "-t", "top"],
  ["run", "npx", "docker-node", "plan", "--stack", "lab"],
  ["run", "npx", "docker-node", "--help"],
  ["run", "npm", "run", "x", "--", "--json"],
])("%s %s %s: what follows is passed on as it is", async (name, ...args) => {
  expect(await given(name, ...args)).toEqual(args);
});

test("the program ends with the status", () => {
  const tsx = join(__dirname, "../../node_modules/.bin/tsx");
  const env = { ...process.env, DOCKER_NODE_LAB: "lab-cli-test" };
  const typed = (...args: string[]) =>
    spawnSync(tsx, [join(__dirname, "../../lab/cli.ts"), ...args], { env, encoding: "utf8" });
  expect(typed("load").status).toBe(2);
  const { status, stdout, stderr } = typed("save", "nowhere");
  expect([status, stdout, stderr]).toEqual([1, "", 'lab "lab-cli-test" is not there\n']);
  expect(typed("status")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(
      /^lab "lab-cli-test": not there; npm run lab brings it up\n {2}mirror {9}stopped\n/,
    ) as string,
  });
}, 120_000);
