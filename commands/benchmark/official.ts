/** The benchmark's own script, docker-bench-security, brought by whoever runs it: its results in the form of ours. */
import { basename, dirname, resolve } from "node:path";
import { statSync } from "node:fs";
import { z } from "zod";
import { parseJson } from "../../clients/answer";
import type { NodeShell } from "../../clients/ssh";
import { UsageError } from "../command";
import type { Finding } from "./check";
import type { Judged } from "./judge";

const outcome = z.looseObject({
  id: z.string(),
  desc: z.string(),
  result: z.enum(["PASS", "WARN", "NOTE", "INFO"]),
  details: z.string().optional(),
  items: z.array(z.string()).optional(),
});

/** `docker-bench-security.log.json`, version 1.6. */
const report = z.looseObject({
  tests: z.array(z.looseObject({ results: z.array(outcome) })),
});

/** @throws UsageError when there is no such script */
export function checkScript(path: string): string {
  const script = resolve(path);
  const is = statSync(script, { throwIfNoEntry: false });
  if (!is?.isFile())
    throw new UsageError(
      `--script ${path}: no file; wanted: docker-bench-security.sh in its folder`,
    );
  return script;
}

/** Copies the script's folder to a node, runs it there as root, and takes the folder away again. */
export async function runOfficial(shell: NodeShell, script: string): Promise<Judged[]> {
  const folder = await shell.script("benchmark/official", { ACTION: "prepare" });
  const variables = { ACTION: "run", FOLDER: folder, FILE: basename(script), LIMIT: 900 };
  const tar = ["--create", "--gzip", "--exclude-vcs", "--file=-", "."];
  const from = { program: "tar", args: ["--directory", dirname(script), ...tar] };
  await shell.feed(["tar", "--extract", "--gzip", "--directory", folder], from);
  return parseJudgements(await shell.script("benchmark/official", variables));
}

/** What the script wrote. Its INFO and NOTE are for a person. */
export function parseJudgements(text: string): Judged[] {
  const { tests } = parseJson(report, text, "docker-bench-security");
  return tests.flatMap(({ results }) => results).map(toJudged);
}

function toJudged({
  id,
  desc,
  result,
  details = "",
  items = [],
}: z.output<typeof outcome>): Judged {
  const title = desc.replace(/ \((?:Automated|Manual)\)$/, "");
  if (result !== "WARN")
    return { id, title, state: result === "PASS" ? "pass" : "person", findings: [] };
  const what = details.split(":")[0]?.trim() || title;
  const findings =
    items.length > 0 ? items.map((item) => readItem(id, what, item)) : [{ what: details || title }];
  return { id, title, state: "warn", findings };
}

/** An item of a container may have more behind its name: a folder, a port or an address. */
function readItem(id: string, what: string, item: string): Finding {
  const [container = "", more] = id.startsWith("5.") ? item.split(/:(.*)/s) : [item];
  if (!more) return { what, container };
  return { what: `${what}: ${more}`, container, ...(/^\d+$/.test(more) && { port: Number(more) }) };
}
