/** Compose files, as the docker compose of the workstation reads them. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseDocument } from "yaml";
import type { Composed } from "../config/compose/model";
import { composeSchema, type ComposeProject } from "../config/schema/compose";
import { lastLine } from "./failure";
import { ask, type Command, type Ran } from "./process";
import { isAtLeast } from "./versions";

/**
 * Release that introduced `config --no-env-resolution` (docker/compose pull request 12665). Without it, compose writes what is in env
 * files into its answer.
 */
const OLDEST = "2.35.0";

const HINT =
  "install Docker's package docker-compose-plugin, or put docker-compose into ~/.docker/cli-plugins";

/**
 * What docker sees of the environment: where it finds its plugins, and nothing else, so that files mean the same on every workstation.
 */
const INHERITED = ["PATH", "HOME", "DOCKER_CONFIG"];

/** Compose reads no `.env` and fetches no file from elsewhere (docs.docker.com, compose/how-tos/environment-variables/envvars). */
const SETTLED = {
  COMPOSE_DISABLE_ENV_FILE: "true",
  COMPOSE_EXPERIMENTAL_GIT_REMOTE: "false",
  COMPOSE_EXPERIMENTAL_OCI_REMOTE: "false",
};

const LIMIT_MS = 60_000;

/** Runs docker with an environment of its own. */
export type RunDocker = (
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
) => Promise<Ran>;

const runIn =
  (cwd: string): RunDocker =>
  (args, variables) => {
    const env = { ...variables, ...SETTLED };
    const command: Command = { program: "docker", args, env, cwd, inherits: INHERITED };
    return ask({ ...command, limitMs: LIMIT_MS });
  };

/**
 * Reads the files of every project. What is wrong with them is in the result. Nothing is run for a stack without projects.
 *
 * @param compose `docker-node:compose`, not yet checked. Skips what does not fit; the check reports it later.
 * @param cwd folder of the stack file
 */
export async function readCompose(
  compose: unknown,
  cwd = process.cwd(),
  run: RunDocker = runIn(cwd),
): Promise<Record<string, Composed>> {
  const { data } = composeSchema.safeParse(compose ?? {});
  const projects = Object.entries(data ?? {});
  if (projects.length === 0) return {};
  const complaint = await findOld(run);
  const read = projects.map(async ([name, project]) => {
    if (complaint !== undefined) return [name, { complaint, sources: [] }] as const;
    return [name, await readProject(name, project, cwd, run)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** Says what is wrong with the docker compose of the workstation; undefined if nothing is. */
async function findOld(run: RunDocker): Promise<string | undefined> {
  const { code, stdout } = await run(["compose", "version", "--short"], {});
  const version = stdout.trim();
  if (code !== 0 || version === "") return `docker compose is not installed here: ${HINT}`;
  if (isAtLeast(version, OLDEST)) return undefined;
  return `docker compose ${version} is older than ${OLDEST}, and would read env files: ${HINT}`;
}

async function readProject(
  name: string,
  { files, profiles, variables }: ComposeProject,
  cwd: string,
  run: RunDocker,
): Promise<Composed> {
  const chosen = [
    ...files.flatMap((file) => ["--file", file]),
    ...profiles.flatMap((profile) => ["--profile", profile]),
  ];
  const form = ["--format", "json", "--no-path-resolution", "--no-env-resolution"];
  const args = ["compose", "--project-name", name, ...chosen, "config", ...form];
  const { code, stdout, stderr } = await run(args, variables);
  const sources = files.map((file) => ({ file, tree: readTree(resolve(cwd, file)) }));
  if (code !== 0) return { complaint: lastLine(stderr) || "compose said nothing", sources };
  const unset = findUnset(stderr);
  if (unset.length > 0)
    return { complaint: `they need variables that are not set: ${unset.join(", ")}`, sources };
  return { model: JSON.parse(stdout) as unknown, sources };
}

/** A file by itself, as far as it can be read: compose says what is wrong with it. */
function readTree(path: string): unknown {
  try {
    return parseDocument(readFileSync(path, "utf8"), { logLevel: "silent" }).toJS() as unknown;
  } catch {
    return undefined;
  }
}

/** Compose warns of a variable without a value, and takes an empty text for it. */
function findUnset(stderr: string): string[] {
  const names = [...stderr.matchAll(/The \\?"(\w+)\\?" variable is not set/g)];
  return [...new Set(names.map(([, name]) => name ?? ""))];
}
