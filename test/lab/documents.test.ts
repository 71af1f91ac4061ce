/**
 * Every `pulumi` command of every document, typed into bash as it stands there, with the real CLI. The program
 * behind it has resources of the names the documents use, and needs neither VM nor Proxmox. Besides, what the documents
 * have for `docker buildx` and for Go, with the real ones.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getPrograms } from "../../lab/docker/repository";
import { writeLayout } from "../../lab/images/layout";
import { pulumiEnv, ensurePulumi, type PulumiHome } from "../../lab/lib/pulumi";
import { pushLayout, startRegistry } from "../../lab/lib/registry";
import { stopService } from "../../lab/lib/service";
import { CLI_VARIABLE, PROGRAM_VARIABLE, PROJECT_VARIABLE, putPulumi } from "../../lab/lib/stack";
import { ROOT, commands, documents, read } from "../support/documents";
import { log } from "./support";

jest.setTimeout(10 * 60_000);

/** A line with its placeholders filled in. */
const fillIn = (line: string): string =>
  line
    .replaceAll("<node>", "proj-docker02")
    .replaceAll("<name>", "backupKey")
    .replace(/<[A-Za-z][^<>]*>/g, "0123456789abcdef");

/** What a document's reader types of Pulumi. */
function typed(document: string): string[] {
  const lines = commands(document).map(({ line }) => line);
  return lines.filter((line) => /^(pulumi|cd) /.test(line)).map(fillIn);
}

/** Commands of Pulumi in running text. What the changelog names may be gone. */
const mentioned = documents()
  .filter((document) => document !== "CHANGELOG.md")
  .flatMap((document) =>
    [...read(document).matchAll(/`(pulumi [^`…]+)`/g)].map(([, line = ""]) =>
      fillIn(line.replace(/\s+/g, " ")),
    ),
  );

const pages = documents().filter((document) => typed(document).some((line) => !/^cd /.test(line)));

/** A stack that is up, with the secrets there are; for documents that do not begin with one. */
const BEFORE = [
  "pulumi stack init prod",
  "pulumi config set --secret backupKey key --stack prod",
  "pulumi up --stack prod",
];

let pulumi: PulumiHome;
let folder: string;

beforeAll(async () => {
  pulumi = await ensurePulumi(log);
  folder = mkdtempSync(join(tmpdir(), "docker-node-documents-"));
  putPulumi(join(folder, "bin"));
  type(BEFORE, makeProject("before"));
}, 30 * 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The folder a reader is in: the project, the consumer's project, and files that commands read. */
function makeProject(name: string): string {
  const work = join(folder, name);
  const consumer = join(work, "examples/consumer");
  mkdirSync(consumer, { recursive: true });
  mkdirSync(join(work, "state"));
  writeFileSync(join(work, "Pulumi.yaml"), "name: docker-node\nruntime: nodejs\n");
  copyFileSync(join(ROOT, "examples/consumer/Pulumi.yaml"), join(consumer, "Pulumi.yaml"));
  writeFileSync(join(work, "backup-key.json"), '{"kdf":null}');
  return work;
}

/** Runs the lines in one bash; what they printed. */
function type(lines: readonly string[], work: string): string {
  const env = {
    ...process.env,
    ...pulumiEnv(pulumi),
    PATH: `${join(folder, "bin")}:${process.env.PATH ?? ""}`,
    PULUMI_BACKEND_URL: `file://${join(work, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "test",
    PULUMI_SKIP_CONFIRMATIONS: "true",
    [CLI_VARIABLE]: pulumi.cli,
    [PROJECT_VARIABLE]: ".",
    [PROGRAM_VARIABLE]: join(__dirname, "two-nodes"),
  };
  // A command that asks for a secret reads it from standard input here.
  const script = ["set -euxo pipefail", ...lines].join("\n");
  const options = { cwd: work, env, input: "typed\n".repeat(9), encoding: "utf8" } as const;
  return execFileSync("bash", ["-c", script], options);
}

test.each(pages)("%s", (document) => {
  const lines = typed(document);
  const name = document.replaceAll("/", "-");
  const begins = lines.includes("pulumi stack init prod");
  const work = begins ? makeProject(name) : join(folder, name);
  if (!begins) cpSync(join(folder, "before"), work, { recursive: true });
  // Which stack is selected is not kept in the project's folder.
  type(begins ? lines : ["pulumi stack select prod", ...lines], work);
});

test("commands of Pulumi in running text", () => {
  const work = join(folder, "mentioned");
  cpSync(join(folder, "before"), work, { recursive: true });
  const others = new Set(mentioned);
  expect(others.delete("pulumi destroy")).toBe(true);
  expect(others.size).toBeGreaterThan(4);
  type(["pulumi stack select prod", ...others, "pulumi destroy"], work);
});

/** Commands of the documents that show the digest of an image, and which image. */
const INSPECT = /docker buildx imagetools inspect ([\w/]+):([\w.-]+)[^`\n]*/g;
const inspects = documents().flatMap((document) => [...read(document).matchAll(INSPECT)]);

test("docker buildx imagetools: shows the digest of an image in a registry", async () => {
  const [work, cli] = [join(folder, "registry"), "cli-29.8.1"];
  const registry = await startRegistry({ stateDir: work }, log);
  try {
    expect(inspects.length).toBeGreaterThan(2);
    const programs = await getPrograms(log, [cli, "buildx"]);
    mkdirSync(join(work, "cli-plugins"));
    const plugin = join(programs.get("buildx") ?? "", "docker-buildx");
    symlinkSync(plugin, join(work, "cli-plugins/docker-buildx"));
    const path = `${programs.get(cli) ?? ""}:${process.env.PATH ?? ""}`;
    const env = { ...process.env, PATH: path, DOCKER_CONFIG: work };
    for (const [line, repository = "", tag = ""] of inspects) {
      const image = { repository, tag, files: [{ path: "bin" }], config: {} };
      const { digest } = await writeLayout(join(work, repository), image);
      await pushLayout(registry, join(work, repository), log);
      const here = line.replace(repository, `127.0.0.1:${registry.port}/${repository}`);
      expect(execFileSync("bash", ["-c", here], { env, encoding: "utf8" })).toContain(digest);
    }
  } finally {
    await stopService(work, "registry");
  }
});

/** `go build` compiles nothing with `-n`; it still reads every package, and writes go.sum. */
test.each([
  ["lab/plugins/README.md", "lab/plugins/bridge"],
  ["lab/docker/README.md", "lab/docker/modules/dockerd-29.8.1"],
])("%s: its commands write a go.sum that belongs to %s", (document, module) => {
  const work = join(folder, module.replaceAll("/", "-"));
  cpSync(join(ROOT, module), work, { recursive: true });
  const lines = commands(document).flatMap(({ line }) =>
    line.includes("go build ") ? [line] : [],
  );
  expect(lines).toHaveLength(1);
  writeFileSync(join(work, "go.sum"), "");
  const dry = lines.map((line) => line.replace("go build ", "go build -n "));
  const env = { ...process.env, GOFLAGS: "", GOWORK: "off" };
  const options = { cwd: work, env, stdio: "ignore" } as const;
  execFileSync("bash", ["-c", ["set -eu", ...dry].join("\n")], options);
  const written = readFileSync(join(work, "go.sum"), "utf8").trim().split("\n");
  const kept = new Set(
    readFileSync(join(ROOT, module, "go.sum"), "utf8")
      .trim()
      .split("\n"),
  );
  expect(written.length).toBeGreaterThan(500);
  expect(written.filter((sum) => !kept.has(sum))).toEqual([]);
});
