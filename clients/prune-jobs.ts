/** The prune jobs of a Proxmox Backup Server, read by its API, because its client cannot list them. */
import { z } from "zod";
import { parseJson } from "./answer";
import type { Access } from "./backup-server";
import { send } from "./http";
import { connectPinned } from "./network";

const KEEP_RULES = [
  "keep-last",
  "keep-hourly",
  "keep-daily",
  "keep-weekly",
  "keep-monthly",
  "keep-yearly",
] as const;

type KeepRule = (typeof KEEP_RULES)[number];

/** For each rule, the number of periods whose last backup is kept. */
export type Keeps = Partial<Record<KeepRule, number>>;

/** The fields of a prune job that are used here (`GET /config/prune`; pbs-api-types, jobs.rs). */
const pruneJob = z.object({
  id: z.string(),
  store: z.string(),
  /** Namespace at which it starts; default: the root of the datastore. */
  ns: z.string().optional(),
  /** How many levels below that it covers; default: all. */
  "max-depth": z.number().optional(),
  disable: z.boolean().optional(),
  ...(Object.fromEntries(KEEP_RULES.map((rule) => [rule, z.number().optional()])) as Record<
    KeepRule,
    z.ZodOptional<z.ZodNumber>
  >),
});

/** A prune job, parsed. */
export type PruneJob = Readonly<z.output<typeof pruneJob>>;

const pruneJobs = z.looseObject({ data: z.array(pruneJob) });

/** Returns what a job keeps. If that is empty, the job removes nothing. */
export const keepsOf = (job: PruneJob): Keeps =>
  Object.fromEntries(
    KEEP_RULES.flatMap((rule) => (job[rule] === undefined ? [] : [[rule, job[rule]]])),
  );

const PATH = "/api2/json/config/prune";

const LIMIT_MS = 15_000;

/**
 * Reads the prune jobs of the namespaces that the token may see. It needs `Datastore.Audit`, which `DatastoreReader` has.
 * @throws Error when the server does not answer, has another certificate, or refuses the token
 */
export async function readPruneJobs(access: Access): Promise<PruneJob[]> {
  const socket = await connectPinned(access, LIMIT_MS);
  const headers = {
    Authorization: `PBSAPIToken=${access.tokenId}:${encodeURIComponent(access.token)}`,
  };
  const url = new URL(`https://${access.host}${PATH}`);
  const options = { headers, createConnection: () => socket, timeout: LIMIT_MS };
  const { status, body } = await send(url, options);
  if (status !== 200) throw new Error(body.trim() || `status ${status}`);
  return parseJson(pruneJobs, body, `GET ${PATH} of the backup server`).data;
}
