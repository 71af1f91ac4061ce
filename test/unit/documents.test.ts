/** Documents say what is there: links and paths lead somewhere, and so does what the code cites. */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  ROOT,
  broken,
  brokenLinks,
  documents,
  proofs,
  read,
  repositoryFiles,
  testNames,
} from "../support/documents";

const all = documents();
/** Kept as they are written by others, or as they were. */
const AS_THEY_WERE = ["CHANGELOG.md", "package-lock.json", "LICENSE"];
const texts = repositoryFiles().filter(
  (path) =>
    !AS_THEY_WERE.includes(path) &&
    !path.includes("/__snapshots__/") &&
    statSync(join(ROOT, path)).size < 1_000_000,
);

test.each(all)("%s: every link leads to a file, and to a heading that is there", (document) => {
  expect(brokenLinks(document)).toEqual([]);
});

test("every document is reached from the README", () => {
  const seen = new Set<string>();
  const visit = (document: string): void => {
    if (seen.has(document)) return;
    seen.add(document);
    const targets = read(document).matchAll(/\]\(([^)#\s]+\.md)/g);
    for (const [, target = ""] of targets)
      if (!target.startsWith("http")) visit(join(dirname(document), target));
  };
  visit("README.md");
  expect(all.filter((document) => document.startsWith("docs/") && !seen.has(document))).toEqual([]);
});

test("every path below docs/ that code, scripts and workflows name is there, with its heading", () => {
  const wrong = texts.flatMap((path) => {
    const cited = read(path).match(/(?<![\w/.-])docs\/[\w./-]*\w(#[\w-]+)?/g) ?? [];
    return cited.flatMap((target) => {
      const problem = broken(target, "");
      return problem === undefined ? [] : [`${path}: ${problem}`];
    });
  });
  expect(wrong).toEqual([]);
});

test("nothing cites a document that is not in the repository", () => {
  const own = "test/unit/documents.test.ts";
  const citing = texts.filter((path) => path !== own && /\b(SPEC|DESIGN)\b(?!=)/.test(read(path)));
  expect(citing).toEqual([]);
});

test("every file and folder of the repository that a document names in code is there", () => {
  const folders = new Set(texts.map((path) => path.split("/")[0]));
  /** A path of ours begins with a folder of ours, or ends as our files do. */
  const ours = (path: string): boolean =>
    folders.has(path.split("/")[0]) || /\.(ts|mjs|sh|py|go|md|json|ya?ml)$/.test(path);
  const missing = (path: string, document: string): boolean =>
    [path, join(dirname(document), path)].every((one) => !existsSync(join(ROOT, one)));
  const wrong = all.flatMap((document) => {
    const spans = read(document).match(/`[\w.-]+\/[\w./-]*`/g) ?? [];
    const paths = spans.map((span) => span.slice(1, -1)).filter(ours);
    return paths.filter((path) => missing(path, document)).map((path) => `${document}: ${path}`);
  });
  expect(wrong).toEqual([]);
});

describe.each([
  ["the specification", "docs/reference/specification.md", 60],
  ["the controls", "docs/reference/controls.md", 35],
  ["the units of the hardening", "docs/explanation/security.md", 12],
])("%s", (_, document, atLeast) => {
  const named = proofs(document);

  test("names a test for every row, or says that none can prove it", () => {
    const tables = read(document).match(/(^\| .* \|\n)+/gm) ?? [];
    const content = tables
      .map((table) => table.trimEnd().split("\n"))
      .flatMap(([head = "", , ...rows]) => (/proven by +\|$/.test(head) ? rows : []));
    expect(content.length).toBeGreaterThan(atLeast);
    const told = /\.test\.ts\)|described, not proven|\| not covered +\|$/;
    expect(content.filter((row) => !told.test(row))).toEqual([]);
  });

  test("every test it names exists", () => {
    const missing = named.filter(({ file, name }) => !testNames(file).includes(name));
    expect(named.length).toBeGreaterThan(atLeast);
    expect(missing).toEqual([]);
  });
});
