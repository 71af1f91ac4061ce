/** The prune jobs of a Proxmox Backup Server, by its API: its client has no word for them. */
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { parseJson } from "./answer";
import type { Access } from "./backup-server";
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

/** Of how many periods the last backup is kept, by rule. */
export type Keeps = Partial<Record<KeepRule, number>>;

/** A prune job as far as it matters here (`GET /config/prune`; pbs-api-types, jobs.rs). */
const pruneJob = z.object({
  id: z.string(),
  store: z.string(),
  /** Namespace it begins at; default: the datastore's root. */
  ns: z.string().optional(),
  /** Levels below that it goes down; default: all. */
  "max-depth": z.number().optional(),
  disable: z.boolean().optional(),
  ...(Object.fromEntries(KEEP_RULES.map((rule) => [rule, z.number().optional()])) as Record<
    KeepRule,
    z.ZodOptional<z.ZodNumber>
  >),
});

export type PruneJob = Readonly<z.output<typeof pruneJob>>;

const pruneJobs = z.looseObject({ data: z.array(pruneJob) });

/** What a job keeps; nothing: it removes nothing. */
export const keepsOf = (job: PruneJob): Keeps =>
  Object.fromEntries(
    KEEP_RULES.flatMap((rule) => (job[rule] === undefined ? [] : [[rule, job[rule]]])),
  );

const PATH = "/api2/json/config/prune";

const LIMIT_MS = 15_000;

/**
 * Prune jobs of the namespaces that the token may look at: it takes `Datastore.Audit`, which `DatastoreReader` has.
 * @throws Error when the server does not answer, has another certificate, or refuses the token
 */
export async function readPruneJobs(access: Access): Promise<PruneJob[]> {
  const socket = await connectPinned(access, LIMIT_MS);
  const headers = {
    Authorization: `PBSAPIToken=${access.tokenId}:${encodeURIComponent(access.token)}`,
  };
  const options = { host: access.host, path: PATH, headers };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, createConnection: () => socket }, (answer) => {
      collect(answer).then(resolve, reject);
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function collect(answer: IncomingMessage): Promise<PruneJob[]> {
  let body = "";
  for await (const part of answer.setEncoding("utf8")) body += part as string;
  if (answer.statusCode !== 200) throw new Error(body.trim() || `status ${answer.statusCode ?? 0}`);
  return parseJson(pruneJobs, body, `GET ${PATH} of the backup server`).data;
}
