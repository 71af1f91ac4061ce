/** What the backup server keeps, beside what is declared: `pulumi up` does not reach its prune jobs. */
import { SECTIONS, type Section } from "../../../clients/backup-server";
import { keepsOf, type Keeps, type PruneJob } from "../../../clients/prune-jobs";
import type { BackupsConfig } from "../../../config/schema";
import { isUnasked, type Evidence, type Row } from "../evidence";

/** How to bring them in line. */
const MEND = "npx docker-node backups --server prints the command";

/** What it takes to judge. */
type Kept = Pick<Evidence, "node" | "backups" | "pruneJobs">;

export function retentionRows(evidence: Kept): Row[] {
  return SECTIONS.map((section) => ({
    kind: "retention",
    item: section,
    usedBy: [],
    ...compareKeeps(evidence, section),
  }));
}

function compareKeeps(
  { node, backups, pruneJobs }: Kept,
  section: Section,
): Pick<Row, "state" | "detail"> {
  if (isUnasked(pruneJobs))
    return {
      state: "unknown",
      detail: `the backup server could not be asked: ${pruneJobs.problem}; on it: proxmox-backup-manager prune-job list`,
    };
  const wanted = keepsText(declaredKeeps(backups, section));
  const jobs = pruneJobs.filter((job) =>
    covers(job, backups.server.datastore, `${node}/${section}`),
  );
  if (jobs.length === 0)
    return { state: "differs", detail: `no prune job, ${wanted} declared: ${MEND}` };
  const other = jobs.find((job) => keepsText(keepsOf(job)) !== wanted);
  if (!other) return { state: "ok", detail: wanted };
  const found = keepsText(keepsOf(other)) || "everything";
  return {
    state: "differs",
    detail: `prune job ${other.id} has ${found}, ${wanted} declared: ${MEND}`,
  };
}

/** As `pbs-server/prepare.sh` gives it to the job. */
function declaredKeeps({ volumes, configuration, images }: BackupsConfig, section: Section): Keeps {
  return {
    volumes: { "keep-daily": volumes.keepDays },
    configuration: { "keep-daily": configuration.keepDays },
    images: { "keep-weekly": images.keepWeeks },
  }[section];
}

const keepsText = (keeps: Keeps): string =>
  Object.entries(keeps)
    .map(([rule, count]) => `${rule} ${count}`)
    .sort()
    .join(", ");

/** A job holds for its namespace and those below, as far down as it says. */
function covers(job: PruneJob, datastore: string, namespace: string): boolean {
  if (job.store !== datastore || job.disable) return false;
  const top = levelsOf(job.ns ?? "");
  const place = levelsOf(namespace);
  if (!top.every((name, index) => name === place[index])) return false;
  return place.length - top.length <= (job["max-depth"] ?? Infinity);
}

const levelsOf = (namespace: string): string[] =>
  namespace.split("/").filter((name) => name !== "");
