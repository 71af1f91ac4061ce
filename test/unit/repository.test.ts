/** What a repository has besides its program: each file says something that can be checked. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT, read, repositoryFiles } from "../support/documents";

interface Package {
  version: string;
  license: string;
  engines: { node: string };
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  overrides: Record<string, string>;
}
const manifest = JSON.parse(read("package.json")) as Package;
const versions: Record<string, string> = {
  ...manifest.dependencies,
  ...manifest.devDependencies,
  ...manifest.overrides,
};

test("the licence is the one package.json names", () => {
  expect(manifest.license).toBe("Apache-2.0");
  expect(read("LICENSE")).toMatch(/Apache License\s+Version 2\.0, January 2004/);
});

test("the changelog has a section for this version, and one for what comes next", () => {
  const headings = read("CHANGELOG.md").match(/^## \[.+$/gm) ?? [];
  expect(headings[0]).toBe("## [Unreleased]");
  expect(headings).toContainEqual(expect.stringContaining(`[${manifest.version}] - `));
});

describe("the update bot", () => {
  interface Rule {
    description: string;
    matchPackageNames: string[];
    allowedVersions?: string;
  }
  const { packageRules } = JSON.parse(read(".github/renovate.json")) as { packageRules: Rule[] };
  const held = packageRules.flatMap((rule) =>
    rule.matchPackageNames.map((name) => [name, rule] as const),
  );

  test.each(held)("rule for %s: the package is used, and the rule has a reason", (name, rule) => {
    expect(versions[name]).toMatch(/^\d+\.\d+\.\d+$/);
    expect(rule.description).not.toBe("");
  });

  test("the newest allowed version is not older than the one in use", () => {
    const [, pulumi] = held.find(([name]) => name === "@pulumi/pulumi") ?? [];
    expect(pulumi?.allowedVersions).toBe(`<=${versions["@pulumi/pulumi"] ?? ""}`);
  });
});

describe("tests in CI", () => {
  /** Even majors in the range of `engines`, such as 20, 22, 24: odd ones get no long support. */
  const [, lowest = "", above = ""] = /^>=(\d+)[\d.]* <(\d+)$/.exec(manifest.engines.node) ?? [];
  const supported = Array.from({ length: Number(above) }, (_, major) => major).filter(
    (major) => major >= Number(lowest) && major % 2 === 0,
  );

  test("run on every supported Node", () => {
    const github = parse(read(".github/workflows/test.yml")) as {
      jobs: { check: { strategy: { matrix: { node: number[] } } } };
    };
    const gitlab = parse(read(".gitlab-ci.yml")) as {
      test: { parallel: { matrix: { NODE: string[] }[] } };
    };
    expect(supported.length).toBeGreaterThan(0);
    expect(github.jobs.check.strategy.matrix.node).toEqual(supported);
    expect(gitlab.test.parallel.matrix[0]?.NODE).toEqual(supported.map(String));
  });
});

test("the firewall's tests with packets run in CI, where nothing they need may be missing", () => {
  const { jobs } = parse(read(".github/workflows/test.yml")) as {
    jobs: { check: { steps: { run?: string }[] } };
  };
  const { ".test": test } = parse(read(".gitlab-ci.yml")) as {
    ".test": { before_script: string[] };
  };
  const github = jobs.check.steps.map(({ run = "" }) => run);
  const needed = "nftables iptables iproute2 util-linux";
  expect(
    github.filter((run) => run.includes(`apt-get install`) && run.includes(needed)),
  ).toHaveLength(1);
  expect(github.at(-1)).toMatch(/^sudo env .*DOCKER_NODE_PACKETS=1 npx jest .*firewall-packets$/);
  expect(test.before_script.some((run) => run.includes(needed))).toBe(true);
});

test("every dependency has one version", () => {
  for (const path of ["package.json", "policies/package.json", "lab/package.json"]) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(path)) as Record<
      string,
      Record<string, string> | undefined
    >;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      expect(`${name} ${version}`).toMatch(/ (\d+\.\d+\.\d+([-+].*)?|file:.*)$/);
  }
});

test("every form for issues asks for something and requires something", () => {
  interface Form {
    name: string;
    description: string;
    body: { type: string; validations?: { required?: boolean } }[];
  }
  const directory = ".github/ISSUE_TEMPLATE";
  const names = readdirSync(join(ROOT, directory)).filter((name) => name !== "config.yml");
  expect(names.length).toBeGreaterThan(1);
  for (const name of names) {
    const form = parse(read(join(directory, name))) as Form;
    expect(form).toMatchObject({
      name: expect.any(String) as string,
      description: expect.any(String) as string,
    });
    expect(form.body.some(({ validations }) => validations?.required)).toBe(true);
  }
});

test("what has an owner is there", () => {
  const lines = read("CODEOWNERS").split("\n");
  const paths = lines.filter((line) => /^\/|^\*/.test(line)).map((line) => line.split(/\s+/)[0]);
  expect(paths.length).toBeGreaterThan(1);
  for (const path of paths) if (path !== "*") expect(existsSync(join(ROOT, path ?? ""))).toBe(true);
});

test("no file of the product or of the lab has more than 200 lines, and no component more than 160", () => {
  const product =
    /^(clients|commands|components|config|contract|node|policies)\/.*\.(ts|mjs|sh|jq)$|^index\.ts$/;
  const lab = /^lab\/(?!pve\/tests\/).*\.(ts|go|py|sh)$/;
  const tooLong = repositoryFiles()
    .filter((path) => product.test(path) || lab.test(path))
    .map((path) => [path, read(path).trimEnd().split("\n").length] as const)
    .filter(([path, lines]) => lines > (path.startsWith("components/") ? 160 : 200));
  expect(tooLong).toEqual([]);
});

/** From a name at the margin to the brace at the margin, by the end of a file's name; no comments are counted. */
test.each([
  [".sh", /^([\w-]+)\(\) [{(].*\n(?:.*\n)*?[})]/gm, /^\s*(#|$)/, 300],
  [".go", /^func (\([^)]+\) )?\w+.*\{\n(?:.*\n)*?\}/gm, /^\s*(\/\/|$)/, 400],
])("no function of a %s file has more than 25 lines", (end, whole, uncounted, least) => {
  const sizes = repositoryFiles()
    .filter((path) => path.endsWith(end))
    .flatMap((path) =>
      [...read(path).matchAll(whole)].map(([text]) => {
        const lines = text.split("\n").filter((line) => !uncounted.test(line));
        return [`${path}: ${lines[0] ?? ""}`, lines.length] as const;
      }),
    );
  expect(sizes.length).toBeGreaterThan(least);
  expect(sizes.filter(([, lines]) => lines > 25)).toEqual([]);
});

test("the top folder has at most 12 directories, two for hosts of repositories beside, and no source file but index.ts", () => {
  const listed = new Set(
    repositoryFiles()
      .filter((path) => path.includes("/"))
      .map((path) => path.split("/")[0] ?? ""),
  );
  const hidden = [...listed].filter((name) => name.startsWith("."));
  expect(hidden.length).toBeLessThanOrEqual(2);
  expect(listed.size - hidden.length).toBeLessThanOrEqual(12);
  const sources = repositoryFiles().filter((path) => /^[^/]+\.ts$/.test(path));
  expect(sources).toEqual(["index.ts"]);
});
