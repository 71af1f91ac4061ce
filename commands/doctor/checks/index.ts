import { messageOf } from "../../../clients/failure";
import type { Check, Context, Finding, Result } from "../types";
import { clusterChecks } from "./cluster";
import { configurationChecks, keyChecks } from "./configuration";
import { datastoreChecks } from "./datastores";
import { machineChecks } from "./machine";
import { retentionChecks } from "./retention";
import { scannerChecks } from "./scanner";
import { serviceChecks } from "./services";
import { templateChecks } from "./template";
import { workstationChecks } from "./workstation";

/** Every check for a stack, in the order of the report. */
export function checksFor(context: Context): Check[] {
  return [
    ...workstationChecks,
    ...scannerChecks(context),
    ...configurationChecks,
    ...keyChecks(context),
    ...clusterChecks,
    ...datastoreChecks(context),
    ...machineChecks(context),
    ...templateChecks(context),
    ...serviceChecks(context),
    ...retentionChecks(context),
  ];
}

/** Runs all checks at the same time. A check that throws counts as failed; the others continue. */
export async function examine(context: Context, checks = checksFor(context)): Promise<Result[]> {
  return Promise.all(
    checks.map(async (check) => {
      const finding = await Promise.resolve()
        .then(() => check.run(context))
        .catch(reportBroken);
      return { id: check.id, title: check.title, ...finding };
    }),
  );
}

function reportBroken(error: unknown): Finding {
  const detail = `the check itself failed: ${messageOf(error)}`;
  return {
    status: "fail",
    detail,
    fix: "report it with the output of `npx docker-node doctor --json`",
  };
}
