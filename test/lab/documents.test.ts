/**
 * Every `pulumi` command of every document, typed into bash as it stands there, with the real CLI. The program
 * behind it has resources of the names the documents use, and needs neither VM nor Proxmox.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pulumiEnv, ensurePulumi, type PulumiHome } from "../../lab/lib/pulumi";
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
