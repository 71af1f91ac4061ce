/**
 * Records what a real docker compose says of the files in test/fixtures/compose: `npx tsx test/tools/record-compose.ts`. It takes the
 * program that the lab has built.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCompose, type RunDocker } from "../../clients/compose";
import { ask } from "../../clients/process";
import { RECORDED, argumentsOf, builtCompose, recordOf, withoutFolder } from "../support/compose";

const program = builtCompose();
if (!program) throw new Error("the lab has built no docker compose yet: npm run lab -- build");

const recordIn =
  (cwd: string): RunDocker =>
  async (args, variables) => {
    const ran = await ask({
      ...{ program, args: argumentsOf(args), cwd, inherits: ["PATH", "HOME"] },
      env: { ...variables, COMPOSE_DISABLE_ENV_FILE: "true" },
    });
    const stderr = withoutFolder(ran.stderr, cwd).replace(/time="[^"]*" /g, "");
    const said = JSON.stringify({ asked: args, ...ran, stderr }, null, 2);
    writeFileSync(recordOf(args, cwd), `${said}\n`);
    return ran;
  };

for (const [folder, projects] of RECORDED) {
  mkdirSync(join(folder, "recorded"), { recursive: true });
  void readCompose(projects, folder, recordIn(folder));
}
