/** Gathers a node's report, by what validate, benchmark, backups and plan do. */
import { messageOf } from "../../clients/failure";
import type { Alert } from "../../clients/prometheus";
import type { Row } from "../validate/row";
import { ROWS } from "../validate/rows";
import { tryRows, type Progress } from "../validate/run";
import { subjectOf, type Subject, type Surroundings } from "../validate/subject";
import {
  alertFacts,
  containerFacts,
  dockerFacts,
  driftFacts,
  imageFacts,
  machineFacts,
  networkFacts,
  securityFacts,
  waiverFacts,
} from "./facts";
import type { DrillFacts, Known, NodeReport } from "./model";
import { LEFT_OUT } from "./verdict";

/** How to gather. */
export interface Gathering {
  readonly around: Surroundings;
  /** Whether to measure the rows that load the node. */
  readonly load: boolean;
  readonly drill: Known<DrillFacts>;
  /** The alerts of all nodes, if a Prometheus was named. */
  readonly alerts?: () => Promise<readonly Alert[]>;
  readonly now: Date;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** The report of a node. Every part that cannot be gathered says why. */
export async function gather(name: string, how: Gathering): Promise<NodeReport | undefined> {
  const { opened } = how.around;
  const { settings } = opened;
  const node = settings.nodes[name];
  if (!node) return undefined;
  const subject = subjectOf(name, node, how.around);
  const validation = await tryRows(subject, rowsFor(how), how.signal, how.progress);
  const report: NodeReport = {
    ...{ name, machine: machineFacts(node), drill: how.drill, validation },
    ...(await gatherParts(subject)),
    waivers: waiverFacts(name, settings, how.now),
    images: node.images?.scan && (await askKnown(async () => imageFacts(await subject.scans()))),
    backups: node.backups && (await askKnown(subject.backups)),
    alerts: how.alerts && (await askKnown(alertsOn(name, how.alerts))),
  };
  return redactAll(report, (text) => opened.redact(text)) as NodeReport;
}

/** Gathers the parts that every node has. `subject` keeps answers, so nothing is asked twice. */
async function gatherParts(
  subject: Subject,
): Promise<Pick<NodeReport, "docker" | "networks" | "containers" | "security" | "drift">> {
  return {
    docker: await askKnown(async () => dockerFacts(await subject.info())),
    networks: await askKnown(async () => networkFacts(await subject.inventory())),
    containers: await askKnown(async () => containerFacts(await subject.inventory())),
    security: await askKnown(async () => securityFacts(await subject.benchmark())),
    drift: await askKnown(async () => driftFacts(subject.name, await subject.drift())),
  };
}

const alertsOn = (name: string, ask: () => Promise<readonly Alert[]>) => async () =>
  alertFacts(name, await ask());

/** The rows. Those that load the node refuse to, unless `load` is set. */
const rowsFor = ({ load }: Gathering): Row[] =>
  ROWS.map((row) => (row.loads && !load ? { ...row, measure: refuseLoad } : row));

function refuseLoad(): never {
  throw new Error(LEFT_OUT);
}

async function askKnown<T>(ask: () => Promise<T>): Promise<Known<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

/** The same data without secrets, in every text. */
function redactAll(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((one: unknown) => redactAll(one, redact));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, redactAll(one, redact)] as const);
  return Object.fromEntries(entries);
}
