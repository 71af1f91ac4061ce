/**
 * Records what a real docker compose says of the files in test/fixtures/compose: `npx tsx test/tools/record-compose.ts`. It takes the
 * program that the lab has built.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCompose, type RunDocker } from "../../clients/compose";
import { ask } from "../../clients/process";
import {
  COMPOSE,
  PROJECTS,
  argumentsOf,
  builtCompose,
  recordOf,
  withoutFolder,
} from "../support/compose";

const program = builtCompose();
if (!program) throw new Error("the lab has built no docker compose yet: npm run lab -- build");

const record: RunDocker = async (args, variables) => {
  const ran = await ask({
    program,
    args: argumentsOf(args),
    cwd: COMPOSE,
    env: { ...variables, COMPOSE_DISABLE_ENV_FILE: "true" },
    inherits: ["PATH", "HOME"],
  });
  const said = { ...ran, stderr: withoutFolder(ran.stderr).replace(/time="[^"]*" /g, "") };
  writeFileSync(recordOf(args), `${JSON.stringify({ asked: args, ...said }, null, 2)}\n`);
  return ran;
};

mkdirSync(join(COMPOSE, "recorded"), { recursive: true });
void readCompose(PROJECTS, COMPOSE, record);
