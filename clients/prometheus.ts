/** What a Prometheus server says of a stack's nodes. */
import { z } from "zod";
import { parseAnswer } from "./answer";
import { messageOf } from "./failure";

/** An alert that fires. */
export interface Alert {
  /** The node that it is about, as docker-node's file of targets names it. */
  readonly node: string;
  readonly name: string;
  readonly severity: string;
  /** What a person is told. */
  readonly summary: string;
  /** Since when, ISO 8601. */
  readonly since: string;
}

/** The fields that are read of the answer of /api/v1/alerts (prometheus.io, "HTTP API", section "Alerts"). */
const answer = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
        state: z.string(),
        activeAt: z.string(),
      }),
    ),
  }),
});

const PATIENCE_MS = 10_000;

/**
 * The alerts that fire for nodes of docker-node.
 * @param url of the server, with its path where it has one
 * @throws Error when it does not answer, or answers something else
 */
export async function askAlerts(url: string, patience = PATIENCE_MS): Promise<Alert[]> {
  const asked = `${url.replace(/\/+$/, "")}/api/v1/alerts`;
  const { data } = parseAnswer(answer, await read(asked, patience), asked);
  return data.alerts.flatMap(({ labels, annotations, state, activeAt }) => {
    const { node, alertname: name = "", severity = "" } = labels;
    if (state !== "firing" || node === undefined) return [];
    return [{ node, name, severity, summary: annotations["summary"] ?? "", since: activeAt }];
  });
}

async function read(url: string, patience: number): Promise<unknown> {
  try {
    const found = await fetch(url, { signal: AbortSignal.timeout(patience) });
    if (found.ok) return await found.json();
    throw new Error(`it answers ${found.status}`);
  } catch (error) {
    const { cause = error } = error as Error;
    throw new Error(`${url} cannot be read: ${messageOf(cause)}`, { cause: error });
  }
}
