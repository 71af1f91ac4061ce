/** `docker-node report` on the lab's stack. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../../clients/process";
import type { Lab } from "../../lab/lib/services";
import { cliEnv } from "../../lab/lib/stack";
import { textOfPart } from "../support/reports";
import { log } from "./support";

/** As a person types it, without load: the text of a part of a node's page. */
export async function partOfReport(
  lab: Lab,
  node: string,
  part: string,
  options: readonly string[],
): Promise<string> {
  const out = join(lab.instance.stateDir, "reports");
  const args = ["docker-node", "report", node, "--stack", "lab", "--without-load", "--out", out];
  const env = cliEnv(lab);
  const { code, stdout, stderr } = await ask({ program: "npx", args: [...args, ...options], env });
  log(stdout || stderr);
  // 3: that a part needs action or is not known is no matter here.
  expect([0, 3]).toContain(code);
  return textOfPart(readFileSync(join(out, `node-${node}.html`), "utf8"), part);
}
