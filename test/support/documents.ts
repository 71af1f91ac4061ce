/** The repository's documents, as tests read them: headings, links, paths and commands. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import * as ts from "typescript";
import { parse } from "yaml";
import { isTree, type Tree } from "../../config/tree";

export const ROOT = join(__dirname, "../..");

/** Text of a file of the repository. */
export const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Paths of all files that belong to the repository, new ones included. */
export function repositoryFiles(): string[] {
  const options = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = execFileSync("git", options, { cwd: ROOT, encoding: "utf8" }).split("\0");
  return listed.filter((path) => path !== "" && existsSync(join(ROOT, path)));
}

/** Paths of all Markdown files. */
export const documents = (): string[] => repositoryFiles().filter((path) => path.endsWith(".md"));

/** The text without its fenced blocks, whose content is no Markdown. */
const withoutFences = (text: string): string => text.replace(/^( *)```[^]*?^\1```$/gm, "");

/** Anchors of a document's headings, as GitHub and GitLab make them. */
function anchors(text: string): string[] {
  const headings = withoutFences(text).match(/^#{1,6} .+$/gm) ?? [];
  const seen = new Map<string, number>();
  return headings.map((heading) => {
    const words = heading.replace(/^#+ /, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const slug = words
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

/** Targets of a document's links, those to the web left out. */
export function links(text: string): string[] {
  const prose = withoutFences(text).replace(/`[^`\n]*`/g, "");
  const targets = [...prose.matchAll(/\]\(<?([^)\s>]+)>?\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => !/^(https?|mailto):/.test(target));
}

/** What is wrong with a link or path, seen from a folder of the repository; undefined when it leads somewhere. */
export function broken(target: string, folder: string): string | undefined {
  const [path = "", anchor] = target.split("#");
  const file = normalize(join(folder, decodeURI(path)));
  if (!existsSync(join(ROOT, file))) return `${target}: no such file`;
  if (anchor === undefined) return undefined;
  return anchors(read(file)).includes(anchor) ? undefined : `${target}: no such heading`;
}

/** Links of a document that lead nowhere; one to a heading of its own has no path. */
export function brokenLinks(document: string): string[] {
  return links(read(document)).flatMap((target) => {
    const full = target.startsWith("#") ? `${document}${target}` : target;
    const problem = broken(full, target.startsWith("#") ? "" : dirname(document));
    return problem === undefined ? [] : [`${document}: ${problem}`];
  });
}

/** A fenced block of a document. */
export interface Block {
  readonly document: string;
  /** Number of the line that opens it. */
  readonly line: number;
  /** Its lines, without the indentation of the block. */
  readonly text: string;
}

const FENCE = "```";

/** The fenced blocks of a document that are marked with one of these languages. */
export function blocks(document: string, ...languages: readonly string[]): Block[] {
  const text = read(document);
  const opening = `( *)${FENCE}(?:${languages.join("|")})\\b.*\n`;
  const fences = new RegExp(`^${opening}([^]*?)^\\1${FENCE}$`, "gm");
  return [...text.matchAll(fences)].map(({ index, 1: indent = "", 2: body = "" }) => ({
    document,
    line: text.slice(0, index).split("\n").length,
    text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
}

/** The YAML block of a document that begins with this key. */
export function yamlBlock(document: string, key: string): Tree {
  const trees = blocks(document, "yaml", "yml").map(({ text }) => parse(text) as unknown);
  const found = trees.find((tree) => isTree(tree) && Object.keys(tree)[0] === key);
  if (!isTree(found)) throw new Error(`${document} has no block that begins with ${key}`);
  return found;
}

/** A command line that a document tells the reader to type. */
export interface Command {
  readonly document: string;
  readonly line: string;
}

/**
 * The command lines of a document: those of fenced blocks marked `console` or `sh`. In a block where lines
 * begin with `$ `, the others are output.
 */
export function commands(document: string): Command[] {
  return blocks(document, "console", "sh").flatMap(({ text }) => {
    const lines = text.replaceAll(/\\\n\s*/g, "").split("\n");
    const shown = lines.map((line) => line.trim()).filter((line) => !/^(#|$)/.test(line));
    const prompted = shown.filter((line) => line.startsWith("$ "));
    const typed = prompted.length > 0 ? prompted.map((line) => line.slice(2)) : shown;
    return typed.map((line) => ({ document, line: line.replace(/\s+#\s.*$/, "") }));
  });
}

/** A test that a document names as proof. */
export interface Proof {
  readonly file: string;
  readonly name: string;
}

/** The tests a document names: `[…](path of the file): "name of the test"`. */
export function proofs(document: string): Proof[] {
  const named = /\]\((?:\.\.\/)+(test\/[\w./-]+\.test\.ts)\): ("[^"]+"(?:, "[^"]+")*)/g;
  return [...read(document).matchAll(named)].flatMap(([, file = "", names = ""]) =>
    [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => ({ file, name })),
  );
}

/** Names of all tests and groups of a file, as they are written there. */
export const testNames = (file: string): string[] => [...readTests(file).keys()];

/** Text of a test with its table; undefined when the file has no such test. */
export const textOfTest = (file: string, name: string): string | undefined =>
  readTests(file).get(name);

function readTests(file: string): Map<string, string> {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest);
  const found = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const [first] = node.arguments;
      const called = node.expression.getText(source).split(/[.(]/)[0] ?? "";
      const declares = ["test", "it", "step", "describe"].includes(called);
      if (declares && first && ts.isStringLiteralLike(first))
        found.set(first.text, node.getText(source));
    }
    node.forEachChild(visit);
  };
  visit(source);
  return found;
}
