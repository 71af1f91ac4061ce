/** Answers of a real docker compose, recorded by test/tools/record-compose.ts. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { readCompose, type RunDocker } from "../../clients/compose";
import type { Composed } from "../../config/compose/model";
import type { Ran } from "../../clients/process";

export const COMPOSE = join(__dirname, "..", "fixtures", "compose");

/** Projects whose answers are recorded, as `docker-node:compose` declares them. */
export const PROJECTS = {
  shop: { files: ["shop.yaml"], variables: { TAG: "1.2" } },
  cached: { files: ["shop.yaml"], variables: { TAG: "1.2", LOG: "debug" }, profiles: ["cache"] },
  unset: { files: ["shop.yaml"] },
  refused: { files: ["refused.yaml"] },
  each: { files: ["each.yaml"] },
  overridden: { files: ["shop.yaml", "override.yaml"], variables: { TAG: "1.2" } },
  broken: { files: ["broken.yaml"] },
  missing: { files: ["missing.yaml"] },
} as const;

/** Where the compose file is that docs/how-to/use-compose-files.md shows. */
export const DOCUMENTED = join(COMPOSE, "documented");

/** The project of that guide. */
const OF_THE_GUIDE = {
  shop: { files: ["compose/shop.yaml"], variables: { TAG: "1.2" }, profiles: ["cache"] },
} as const;

/** All that is recorded: the folder that files are named from, and its projects. */
export const RECORDED = [
  [COMPOSE, PROJECTS],
  [DOCUMENTED, OF_THE_GUIDE],
] as const;

/** The recorded answer to a question, and what was asked. */
export interface Recorded extends Ran {
  readonly asked: readonly string[];
}

/** Without the folder that a message names. */
export const withoutFolder = (text: string, folder = COMPOSE): string =>
  text.replaceAll(`${folder}/`, "");

/** Name of the file that an answer is recorded in. */
export const recordOf = (args: readonly string[], folder = COMPOSE): string => {
  const at = args.indexOf("--project-name");
  return join(folder, "recorded", `${at < 0 ? "version" : (args[at + 1] ?? "")}.json`);
};

/** Answers as recorded in a folder; fails for a question that was not asked when they were. */
export const replayIn =
  (folder: string): RunDocker =>
  (args) => {
    const { asked, ...ran } = JSON.parse(readFileSync(recordOf(args, folder), "utf8")) as Recorded;
    expect(args).toEqual(asked);
    return Promise.resolve(ran);
  };

/** Answers about {@link PROJECTS}. */
export const replay = replayIn(COMPOSE);

/** What docker compose made of recorded projects. */
export const composedOf = (
  ...names: (keyof typeof PROJECTS)[]
): Promise<Record<string, Composed>> =>
  readCompose(Object.fromEntries(names.map((name) => [name, PROJECTS[name]])), COMPOSE, replay);

/** The docker compose that the lab has built, if it has. */
export function builtCompose(): string | undefined {
  const built = join(homedir(), ".cache", "docker-node", "docker");
  const folders = existsSync(built) ? readdirSync(built) : [];
  return folders
    .map((folder) => join(built, folder, "docker-compose"))
    .find((program) => program.includes("/compose-") && existsSync(program));
}

/** Runs it as docker does, but for the name of the plugin before the arguments. */
export const argumentsOf = (args: readonly string[]): readonly string[] => args.slice(1);
