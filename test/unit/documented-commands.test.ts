/**
 * Every command of every document is typed into bash (test/support/reader.ts). What it called is held against
 * the real thing: our own commands against their parser, and each command against the test that runs it
 * (test/support/proofs.ts). A call that nothing vouches for fails.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { makeProgram } from "../../commands/cli";
import { scriptFor } from "../../commands/doctor/render";
import { terminal } from "../../commands/terminal";
import { COMMAND_NAMES } from "../support/commands";
import { fingerprint } from "../../config/schema/fields";
import {
  ROOT,
  commands,
  documents,
  read,
  repositoryFiles,
  testNames,
  textOfTest,
} from "../support/documents";
import { ELSEWHERE, OWN, type Proof } from "../support/proofs";
import { Reader, makeCertificate, type Call } from "../support/reader";
import { prodNode } from "../support/settings";

const scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts;

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

/** A name without arguments is a mention. */
const isMention = (args: readonly string[]): boolean =>
  args.length === 1 && COMMAND_NAMES.includes(args[0] ?? "");

/** What `docker-node` says against a command line, read by the real parser. */
function objections(args: readonly string[]): string[] {
  if (isMention(args)) return [];
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

/** Arguments of `docker-node` in a call; undefined when it calls something else. */
function ownArguments([program, first = "", script = "", dashes, ...args]: Call):
  string[] | undefined {
  if (program === "npx" && first === "docker-node")
    return [script, ...(dashes === undefined ? [] : [dashes]), ...args].filter(Boolean);
  const command = scripts[script] ?? "";
  const ours = program === "npm" && first === "run" && command.startsWith(START);
  return ours ? [command.slice(START.length), ...args] : undefined;
}

/** What the table of proofs has to have for a command line of ours: the command, and each option with it. */
function keysOf([name = "", kind = "", ...args]: readonly string[]): string[] {
  const command = name === "restore" && kind !== "" ? `${name} ${kind}` : name;
  const options = [kind, ...args].filter((word) => /^--[a-z]/.test(word) && word !== "--stack");
  return [command, ...options.map((option) => `${command} ${option}`)];
}

/** The keys that the documents read so far need. */
const needed = new Set<string>();

/** What is wrong with the proof of a command or option of ours. */
function unprovenKey(key: string): string[] {
  needed.add(key);
  const proof = OWN[key];
  if (!proof) return [`${key}: no test is known to type it`];
  const [, option = ""] = / (--\S+)$/.exec(key) ?? [];
  const body = proof.test === undefined ? read(proof.file) : textOfTest(proof.file, proof.test);
  return body?.includes(proof.text ?? "") && body.includes(option)
    ? []
    : [`${key}: ${proof.file} has no ${proof.test ?? proof.text ?? ""} with ${option}`];
}

/** What is wrong with a call of one of our own commands; undefined when it is none. */
function misuse(call: Call): string[] | undefined {
  const [program, first, script = "", dashes, ...args] = call;
  const ours = ownArguments(call);
  const shortCut = program === "npm" && first === "run";
  if (shortCut && dashes !== undefined && dashes !== "--")
    return [`${dashes} is taken by npm: -- is missing`];
  if (ours)
    return [...objections(ours), ...(isMention(ours) ? [] : keysOf(ours).flatMap(unprovenKey))];
  if (!shortCut || (script !== "lab" && script !== "drill")) return undefined;
  const words = script === "lab" ? args.slice(0, 1) : args.filter((word) => word.startsWith("--"));
  const known = (word: string): boolean =>
    new RegExp(`(^|[\\s,|])${word}([\\s,=|]|$)`, "m").test(helpOf(script));
  return words.filter((word) => !known(word)).map((word) => `the help has no ${word}`);
}

/** What is wrong with a call of jest, or undefined when it is no such call. */
function missingTests([program, first, ...rest]: Call): string[] | undefined {
  if (program !== "npx" || first !== "jest") return undefined;
  const [, project = "", , pattern = ""] = rest;
  const tests = repositoryFiles().filter((file) => file.startsWith(`test/${project}/`));
  return tests.some((file) => new RegExp(pattern).test(file))
    ? []
    : [`no test is called ${pattern}`];
}

/** The lab's commands are all in the tutorial, which is typed there line by line. */
const inTutorial = new Set(commands("docs/tutorial/first-node.md").map(({ line }) => line));

/** The proofs that the documents read so far need. */
const met = new Set<Proof>();

function unproven(call: Call): string[] {
  const line = call.join(" ");
  if (line.startsWith("npm run lab") && !inTutorial.has(line))
    return [`${line}: not in the tutorial, which a test types`];
  const wrong = missingTests(call) ?? misuse(call);
  if (wrong && wrong.length > 0) return wrong.map((word) => `${line}: ${word}`);
  if (wrong && !/^npm run (lab|drill)/.test(line)) return [];
  const proof = ELSEWHERE.find(({ call: known }) => known.test(line));
  if (!proof) return [`${line}: nothing vouches for it`];
  met.add(proof);
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

test("each proof is needed by a document", () => {
  expect(Object.keys(OWN).filter((key) => !needed.has(key))).toEqual([]);
  expect(ELSEWHERE.filter((proof) => !met.has(proof))).toEqual([]);
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

test("the fingerprint that openssl prints is one that the configuration takes", () => {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-fingerprint-"));
  const lines = commands("docs/how-to/restore.md").map(({ line }) => line);
  const line = lines.find((one) => one.startsWith("openssl x509 ")) ?? "";
  makeCertificate(join(folder, "proxy.pem"));
  const here = line.replace("/etc/proxmox-backup", folder);
  const { stdout, status } = spawnSync("sh", ["-c", here], { encoding: "utf8" });
  rmSync(folder, { recursive: true });
  expect(status).toBe(0);
  expect(fingerprint.parse(stdout.trim().split("=")[1])).toMatch(/:/);
});
