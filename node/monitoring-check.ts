import { createHash } from "node:crypto";
import { assignVariables, type ShellVariables } from "./scripts";
import { variablesOf } from "./stdin";

/**
 * The variables of the step's check mode. A script that the step installs is as long as all others of the node, and nobody reads
 * it: the digest of its file stands for it.
 *
 * @param stdin standard input of the step
 */
export function monitoringCheck(stdin: unknown): string {
  const { HEALTH, DRIFT, ...others } = variablesOf(stdin);
  return assignVariables({ ...others, ...digestsOf({ HEALTH, DRIFT }) }).join("\n");
}

/** As `sha256sum` tells them of the files that node/monitoring/job.sh writes. */
const digestsOf = (scripts: Readonly<Record<string, string | undefined>>): ShellVariables =>
  Object.fromEntries(
    Object.entries(scripts).map(([name, text]) => {
      const file = `#!/bin/bash\n${text}\n`;
      return [name, text && createHash("sha256").update(file).digest("hex")];
    }),
  );
