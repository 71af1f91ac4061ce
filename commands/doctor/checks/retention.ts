/** What the backup servers keep, beside what is declared: `up` does not reach their prune jobs, so a change of it needs a person. */
import { readPbsCredentials, type Credentials } from "../../../clients/backup-server";
import { messageOf } from "../../../clients/failure";
import { readPruneJobs } from "../../../clients/prune-jobs";
import { serverEndpoint, vmStoreOf } from "../../../config/backups";
import type { BackupsConfig } from "../../../config/schema";
import type { Evidence } from "../../backups/evidence";
import { retentionRows } from "../../backups/rows/retention";
import { fail, nodesOf, pass, skip, warn, type Check, type Context, type Finding } from "../types";

/** One check for each node with backups. */
export function retentionChecks(context: Context): Check[] {
  return nodesOf(context).flatMap(([name, { backups }]) => {
    if (!backups) return [];
    const run = (within: Context): Promise<Finding> => checkRetention(name, backups, within);
    return [{ id: `retention:${name}`, title: `${name}: what the backup server keeps`, run }];
  });
}

async function checkRetention(
  node: string,
  backups: BackupsConfig,
  { environment, configuration }: Context,
): Promise<Finding> {
  const { PBS_RESTORE_TOKEN_ID: tokenId } = environment;
  if (!tokenId)
    return skip("needs the restore token in the environment, as npx docker-node backups does");
  const pruneJobs = await askServer(backups, environment);
  const { settings } = configuration;
  const vmStore = settings && vmStoreOf(backups, settings.proxmox);
  const rows = retentionRows({ node, backups, pruneJobs, vmStore });
  const others = rows.filter(({ state }) => state === "differs");
  const found = others.map(({ item, detail = "" }) => `${item}: ${detail}`).join("\n");
  if (others.length > 0) return fail(found, "npx docker-node backups --server");
  const unknown = rows.find(({ state }) => state === "unknown");
  if (unknown) return warn(unknown.detail ?? "", "npx docker-node backups");
  return pass(rows.map(({ item, detail = "" }) => `${item}: ${detail}`).join("; "));
}

async function askServer(
  { server }: BackupsConfig,
  environment: NodeJS.ProcessEnv,
): Promise<Evidence["pruneJobs"]> {
  try {
    const credentials: Credentials = readPbsCredentials(environment);
    const { datastore, fingerprint } = server;
    const { host, port } = serverEndpoint(server);
    return await readPruneJobs({ host, port, datastore, fingerprint, ...credentials });
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
