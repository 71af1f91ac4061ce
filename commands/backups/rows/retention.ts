/** What the backup server keeps, beside what is declared: `pulumi up` does not reach its prune jobs. */
import { SECTIONS } from "../../../clients/backup-server";
import { keepsOf, type Keeps, type PruneJob } from "../../../clients/prune-jobs";
import type { VmStore } from "../../../config/backups";
import { isUnasked, type Evidence, type Row } from "../evidence";

/** How to bring them in line. */
const MEND = "npx docker-node backups --server prints the command";

/** The evidence that the rows are made from. */
type Kept = Pick<Evidence, "node" | "backups" | "pruneJobs" | "vmStore">;

/** Backups of one kind, and how many of them are to stay. */
interface Place extends VmStore {
  readonly item: string;
  readonly keeps: Keeps;
  /** What is said without a job. */
  readonly none: string;
}

export function retentionRows(evidence: Kept): Row[] {
  const rows = placesOf(evidence).map((place) => rowOf(place.item, compareKeeps(evidence, place)));
  const { backups, vmStore } = evidence;
  if (backups.vm?.prunedBy !== "server" || vmStore) return rows;
  return [...rows, rowOf("vm", explainUnseen(backups.vm))];
}

type Found = Pick<Row, "state" | "detail">;

const rowOf = (item: string, found: Found): Row => ({
  ...{ kind: "retention", item, usedBy: [] },
  ...found,
});

/** Proxmox removes none of the VM's backups then, and nobody sees whether a backup server does. */
const explainUnseen = ({ storage, keepDays }: Vm): Found => ({
  state: "unknown",
  detail: `nobody sees whether keep-daily ${keepDays} is applied: ${storage} is no proxmox.backupStorage with the server of backups.server, written the same; on its server: ${LIST}`,
});

type Vm = NonNullable<Kept["backups"]["vm"]>;

const LIST = "proxmox-backup-manager prune-job list";

/** As `pbs-server/prepare.sh` makes the jobs. */
function placesOf({ node, backups, vmStore }: Kept): Place[] {
  const { server, volumes, configuration, images, vm } = backups;
  const keeps = {
    volumes: { "keep-daily": volumes.keepDays },
    configuration: { "keep-daily": configuration.keepDays },
    images: { "keep-weekly": images.keepWeeks },
  };
  const own = SECTIONS.map((item) => ({
    ...{ item, keeps: keeps[item], none: "no prune job" },
    ...{ datastore: server.datastore, namespace: `${node}/${item}` },
  }));
  if (!vm || !vmStore) return own;
  // It may be a datastore that the restore token was not let into.
  const none = "no prune job that the restore token sees";
  return [...own, { item: "vm", keeps: { "keep-daily": vm.keepDays }, none, ...vmStore }];
}

function compareKeeps({ pruneJobs }: Kept, { keeps, none, datastore, namespace }: Place): Found {
  if (isUnasked(pruneJobs))
    return {
      state: "unknown",
      detail: `the backup server could not be asked: ${pruneJobs.problem}; on it: ${LIST}`,
    };
  const wanted = keepsText(keeps);
  const jobs = pruneJobs.filter((job) => covers(job, datastore, namespace));
  if (jobs.length === 0)
    return { state: "differs", detail: `${none}, ${wanted} declared: ${MEND}` };
  const other = jobs.find((job) => keepsText(keepsOf(job)) !== wanted);
  if (!other) return { state: "ok", detail: wanted };
  const found = keepsText(keepsOf(other)) || "everything";
  return {
    state: "differs",
    detail: `prune job ${other.id} has ${found}, ${wanted} declared: ${MEND}`,
  };
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
