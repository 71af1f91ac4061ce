import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { ask } from "../../clients/process";
import { ROOT } from "../../lab/lib/instance";
import type { Lab } from "../../lab/lib/services";
import { stackEnv } from "../../lab/lib/stack";

/** The stand-in for Pulumi's language host. */
const HOST = join(ROOT, "lab/plugins/language");

/** The file with the configuration of the last `openStack`. */
export const configFile = (lab: Lab): string =>
  join(lab.instance.stateDir, "project/Pulumi.lab.yaml");

/**
 * Types `pulumi` as a person does, in the repository, on the lab's stack: it starts the Node.js language host, the one that is on the
 * PATH or came with this `pulumi`, else the stand-in.
 */
export async function typePlain(
  lab: Lab,
  args: readonly string[],
  file = configFile(lab),
): Promise<{ code: number | undefined; said: string }> {
  const { cli } = lab.pulumi;
  const { code, stdout, stderr } = await ask({
    program: cli,
    args: [...args, "--stack", "lab", "--config-file", file, "--non-interactive"],
    cwd: ROOT,
    env: {
      ...stackEnv(lab),
      PATH: [dirname(cli), process.env.PATH, dirname(realpathSync(cli)), HOST].join(":"),
    },
  });
  return { code, said: `${stdout}${stderr}` };
}
