/**
 * Every command of every document is typed into bash (test/support/reader.ts). What it called is held against
 * the real thing: our own commands against their help, files and tests against what is there, and everything
 * that needs a VM or a server against the test that runs it there. A call that nothing vouches for fails.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { makeProgram } from "../../commands/cli";
import { scriptFor } from "../../commands/doctor/render";
import { terminal } from "../../commands/terminal";
import { ROOT, commands, documents, read, repositoryFiles, testNames } from "../support/documents";
import { Reader, type Call } from "../support/reader";
import { prodNode } from "../support/settings";

const scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts;

/** A call, and where it is run for real: a named test, or a file with the text that does. */
interface Proof {
  readonly call: RegExp;
  readonly file: string;
  readonly test?: string;
  readonly text?: string;
}

/** What needs a VM, a server or the whole suite. */
const ELSEWHERE: readonly Proof[] = [
  { call: /^npm ci$/, file: ".ci/run", text: "npm ci" },
  { call: /^npm test$/, file: ".ci/run", text: "npm test" },
  { call: /^npm run test:pve$/, file: ".ci/run", text: "npm run test:pve" },
  { call: /^npm run test:lab$/, file: ".ci/run", text: "npm run test:lab" },
  { call: /^npm run types$/, file: "package.json", text: "&& npm run types &&" },
  { call: /^npm run docs$/, file: "package.json", text: "npm run docs -- --check" },
  { call: /^npm run lab( |$)/, file: "test/lab/lifecycle.test.ts", text: "commands(TUTORIAL)" },
  { call: /^pulumi /, file: "test/lab/documents.test.ts", text: "/^(pulumi|cd) /" },
  {
    call: /^docker (ps|exec|logs) /,
    file: "test/lab/backups.test.ts",
    test: "the commands that docs/how-to/back-up.md has for the node answer",
  },
  {
    call: /^docker run .* sh -c find \/to -mindepth 1 -delete; cp -a \/from\/\. \/to\/$/,
    file: "test/unit/documented-commands.test.ts",
    test: "the way back to the copy of before: everything of the copy, and nothing else",
  },
  {
    call: /^proxmox-backup-client key create --kdf none( |$)/,
    file: "test/lab/pbs.test.ts",
    test: "makes keys and shows what they are, not what they say",
  },
  {
    call: /^proxmox-backup-client key paperkey /,
    file: "test/lab/pbs.test.ts",
    test: "prints a key for paper, and what is typed from it is the same key",
  },
  {
    call: /^pvesm add pbs /,
    file: "lab/pve/tests/test_documents.py",
    text: "async def test_pvesm_add_makes_the_storage",
  },
  {
    call: /^qm set /,
    file: "lab/pve/tests/test_documents.py",
    text: "async def test_qm_set_changes_the_vm",
  },
  {
    call: /^docker buildx imagetools inspect /,
    file: "test/lab/documents.test.ts",
    test: "docker buildx imagetools: shows the digest of an image in a registry",
  },
  {
    call: /^(rm go\.sum|go build -mod=mod .*)$/,
    file: "test/lab/documents.test.ts",
    text: 'line.replace("go build ", "go build -n ")',
  },
  {
    call: /^(ssh root@pve01 )?pveum /,
    file: "test/unit/doctor.test.ts",
    test: "script: a node that has nothing yet",
  },
  {
    call: /^(scp role\.sh root@pve01:|ssh root@pve01 bash )/,
    file: "test/unit/doctor.test.ts",
    test: "script: again, nothing is made twice; --rotate makes a new token",
  },
];

/** A call that nothing runs, and the words it was written after. */
interface NotRun {
  readonly call: RegExp;
  readonly why: string;
  readonly source: string;
}

const NO_SERVER = "no test has a Proxmox Backup Server, and the lab's stand-in has no such command";

/** What no test runs. Options are held against a list, so that a typo in a document still fails. */
const NOT_RUN: readonly NotRun[] = [
  {
    call: /^proxmox-backup-manager (cert info|datastore create \S+ \S+ --reuse-datastore true)$/,
    why: NO_SERVER,
    source: "Proxmox Backup Server documentation: Command Syntax, proxmox-backup-manager; Storage",
  },
  {
    call: /^proxmox-backup-manager (remote|sync-job) create \w+( --(host|auth-id|password|fingerprint|remote|remote-store|store|schedule|remove-vanished) \S+)+$/,
    why: NO_SERVER,
    source: "Proxmox Backup Server documentation: Command Syntax; Managing Remotes & Sync",
  },
  {
    call: /^docker (build|push) /,
    why: "the image is made of Proxmox's packages, whose repository no test may reach, and pushed to a registry of the reader's",
    source: "node/backup/Dockerfile; the lab makes the image without them (lab/images/backup.ts)",
  },
  {
    call: /^rm \/etc\/pve\/nodes\/\w+\/qemu-server\/\w+\.conf$/,
    why: "the lab's cluster has one Proxmox node, which cannot be gone",
    source: "Proxmox VE Administration Guide, pmxcfs: Recovering/Moving Guests from Failed Nodes",
  },
];

const reader = new Reader(scriptFor([["proj-docker02", prodNode()]]));
afterAll(() => {
  reader.dispose();
});

/** Help of a script that is a command of its own; asked once. */
const helps = new Map<string, string>();
function helpOf(script: string): string {
  const known = helps.get(script);
  if (known !== undefined) return known;
  const path = `${join(ROOT, "node_modules/.bin")}:${process.env.PATH ?? ""}`;
  const options = { cwd: ROOT, encoding: "utf8", env: { ...process.env, PATH: path } } as const;
  const { stdout, stderr } = spawnSync("sh", ["-c", `${scripts[script] ?? ""} --help`], options);
  helps.set(script, stdout + stderr);
  return stdout + stderr;
}

/** Lets a command and all below it read their command line, and do nothing. */
function onlyParse(command: Command): void {
  if (command.commands.length === 0) command.action(() => undefined);
  for (const below of command.commands) onlyParse(below);
}

const names = makeProgram({ outside: terminal, end: () => undefined }).commands.map((one) =>
  one.name(),
);

/** What `docker-node` says against a command line, read by the real parser. */
function objections(args: readonly string[]): string[] {
  // A name without arguments is a mention.
  if (args.length === 1 && names.includes(args[0] ?? "")) return [];
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const outside = { ...terminal, print: say, warn: say };
  const program = makeProgram({ outside, end: () => undefined });
  onlyParse(program);
  try {
    program.parse(args, { from: "user" });
    return [];
  } catch {
    return said;
  }
}

const START = "node commands/docker-node.mjs ";

/** What is wrong with a call of one of our own commands; undefined when it is none. */
function misuse([program, first = "", ...rest]: Call): string[] | undefined {
  if (program === "npx" && first === "docker-node") return objections(rest);
  const [script = "", dashes, ...args] = rest;
  if (program !== "npm" || first !== "run") return undefined;
  if (dashes !== undefined && dashes !== "--") return [`${dashes} is taken by npm: -- is missing`];
  const command = scripts[script] ?? "";
  if (command.startsWith(START)) return objections([command.slice(START.length), ...args]);
  if (script !== "lab" && script !== "drill") return undefined;
  const words = script === "lab" ? args.slice(0, 1) : args.filter((word) => word.startsWith("--"));
  const known = (word: string): boolean =>
    new RegExp(`(^|[\\s,|])${word}([\\s,=|]|$)`, "m").test(helpOf(script));
  return words.filter((word) => !known(word)).map((word) => `the help has no ${word}`);
}

/** What is wrong with a call of a tool of the repository, or undefined when it is no such call. */
function tool([program, first, ...rest]: Call): string[] | undefined {
  if (program !== "npx") return undefined;
  if (first === "tsx")
    return existsSync(join(ROOT, rest[0] ?? "")) ? [] : [`${rest[0] ?? ""} is not there`];
  if (first !== "jest") return undefined;
  const [, project = "", , pattern = ""] = rest;
  const tests = repositoryFiles().filter((file) => file.startsWith(`test/${project}/`));
  return tests.some((file) => new RegExp(pattern).test(file))
    ? []
    : [`no test is called ${pattern}`];
}

/** The lab's commands are all in the tutorial, which is typed there line by line. */
const inTutorial = new Set(commands("docs/tutorial/first-node.md").map(({ line }) => line));

/** Those of `NOT_RUN` that the documents read so far have. */
const met = new Set<NotRun>();

function unproven(call: Call): string[] {
  const line = call.join(" ");
  if (line.startsWith("npm run lab") && !inTutorial.has(line))
    return [`${line}: not in the tutorial, which a test types`];
  const ofTool = tool(call);
  if (ofTool) return ofTool;
  const wrong = misuse(call);
  if (wrong && wrong.length > 0) return wrong.map((word) => `${line}: ${word}`);
  if (wrong && !line.startsWith("npm run lab")) return [];
  const notRun = NOT_RUN.find(({ call: known }) => known.test(line));
  if (notRun) {
    met.add(notRun);
    return [];
  }
  const proof = ELSEWHERE.find(({ call: known }) => known.test(line));
  if (!proof) return [`${line}: nothing vouches for it`];
  const { file, test: name, text = "" } = proof;
  const there = name ? testNames(file).includes(name) : read(file).includes(text);
  return there ? [] : [`${line}: ${file} has no ${name ?? text}`];
}

const typed = documents().filter((document) => commands(document).length > 0);

test.each(typed)("%s: every command can be typed, and something vouches for it", (document) => {
  const calls = reader.type(commands(document));
  expect(calls.length).toBeGreaterThan(0);
  expect(calls.flatMap(unproven)).toEqual([]);
});

test("what no test runs has a reason, and is in a document", () => {
  expect(NOT_RUN.filter((one) => !met.has(one))).toEqual([]);
  expect(NOT_RUN.filter(({ why, source }) => why === "" || source === "")).toEqual([]);
});

/** Code in running text that begins so, in one line. What ends in … is the reader's. */
function spans(start: RegExp): string[] {
  const inline = new RegExp(`\`((?:${start.source}) [^\`]+)\``, "g");
  const found = documents().flatMap((document) =>
    [...read(document).matchAll(inline)].map(([, text = ""]) => text.replace(/\s+/g, " ")),
  );
  return found.filter((text) => !text.endsWith("…"));
}

test("our commands in running text are understood", () => {
  const whole = spans(/npm run|npx docker-node/);
  expect(whole.length).toBeGreaterThan(5);
  const wrong = whole.flatMap((text) => {
    const call = text.split(" ");
    const unknown = call[0] === "npm" && !((call[2] ?? "") in scripts);
    return unknown
      ? [`${text}: no such script`]
      : (misuse(call) ?? []).map((one) => `${text}: ${one}`);
  });
  expect(wrong).toEqual([]);
});

test("commands of Docker and Proxmox in running text: something vouches for each that has arguments", () => {
  const mention = /^docker (compose )?\w+$/;
  const whole = spans(/qm|pvesm|pveum|proxmox-backup-[a-z]+|docker/)
    .filter((text) => !mention.test(text))
    .map((text) => text.replace(/<[^<>]+>/g, "value"));
  expect(whole).toContain("qm set value --protection 0");
  expect(whole.flatMap((text) => unproven(text.split(" ")))).toEqual([]);
});

test("the way back to the copy of before: everything of the copy, and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-way-back-"));
  const [from, to] = [join(folder, "from"), join(folder, "to")];
  mkdirSync(join(from, "sub"), { recursive: true });
  mkdirSync(join(to, "newer"), { recursive: true });
  writeFileSync(join(from, "sub/.old"), "old");
  writeFileSync(join(to, ".newer"), "newer");
  const lines = commands("docs/how-to/restore.md").map(({ line }) => line);
  const [, script = ""] =
    /sh -c '(.+)'$/.exec(lines.find((line) => line.startsWith("docker run")) ?? "") ?? [];
  const here = script.replaceAll("/from", from).replaceAll("/to", to);
  expect(spawnSync("sh", ["-c", here], { encoding: "utf8" })).toMatchObject({ status: 0 });
  expect(readdirSync(to, { recursive: true }).sort()).toEqual(["sub", "sub/.old"]);
  rmSync(folder, { recursive: true });
});
