import type { Check, Context, Finding, Result } from "../types";
import { clusterChecks } from "./cluster";
import { configurationChecks, keyChecks } from "./configuration";
import { datastoreChecks } from "./datastores";
import { machineChecks } from "./machine";
import { serviceChecks } from "./services";
import { workstationChecks } from "./workstation";

/** Every check there is for a stack, in the order it is shown. */
export function checksFor(context: Context): Check[] {
  return [
    ...workstationChecks,
    ...configurationChecks,
    ...keyChecks(context),
    ...clusterChecks,
    ...datastoreChecks(context),
    ...machineChecks(context),
    ...serviceChecks(context),
  ];
}

/** Runs checks side by side; one that breaks has failed, and the others go on. */
export async function examine(context: Context, checks = checksFor(context)): Promise<Result[]> {
  return Promise.all(
    checks.map(async (check) => {
      const finding = await Promise.resolve()
        .then(() => check.run(context))
        .catch(broken);
      return { id: check.id, title: check.title, ...finding };
    }),
  );
}

function broken(error: unknown): Finding {
  const detail = `the check itself failed: ${error instanceof Error ? error.message : String(error)}`;
  return {
    status: "fail",
    detail,
    fix: "report it with the output of `npx docker-node doctor --json`",
  };
}
