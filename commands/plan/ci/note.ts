/** The note a plan leaves on a pull or merge request: a marker for the next run, then the plan. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { PlanJson } from "../render";

/** The label that keeps a request from being merged, and the one with which a person lets it pass. */
export const BLOCKED = "blocked: needs-approval";
export const APPROVED = "approved: data-loss";
/** In front of a risk's name in its label. */
const RISK = "risk: ";

/** GitHub takes 65,536 characters, GitLab a million. */
const LONGEST = 60_000;

/** The first line of the issue about drift, by which the next run finds it. */
const DRIFT_MARKER = "<!-- docker-node-drift -->";
export const writeDrift = (report: string): string => `${DRIFT_MARKER}\n${report}`;
export const isDrift = (text?: string | null): boolean => text?.startsWith(DRIFT_MARKER) === true;

export const DRIFT_TITLE = "What runs differs from what is declared";

const marker = z.object({
  stack: z.string(),
  risks: z.array(z.string()).readonly(),
  /** Digest of everything dangerous; empty when nothing is. An approval holds for one digest. */
  dangers: z.string(),
});

/** What the next run reads out of a note. */
export type Marker = Readonly<z.output<typeof marker>>;

/** A plan as `--write` left it. */
export interface Written {
  readonly json: PlanJson;
  readonly markdown: string;
}

export function readPlan(folder: string): Written {
  const readText = (name: string): string => readFileSync(join(folder, name), "utf8");
  return { json: JSON.parse(readText("plan.json")) as PlanJson, markdown: readText("plan.md") };
}

/** What the next run needs to know of a plan. */
export function markerOf({ stack, risks }: PlanJson): Marker {
  const dangers = risks.filter(({ severity }) => severity === "danger");
  const digest = createHash("sha256").update(JSON.stringify(dangers)).digest("hex").slice(0, 16);
  const labels = [...new Set(risks.map(({ label }) => label))].sort();
  return { stack, risks: labels, dangers: dangers.length > 0 ? digest : "" };
}

/** The whole note. A plan too long for one is cut after its risks. */
export function noteOf({ json, markdown }: Written): string {
  const body =
    markdown.length <= LONGEST
      ? markdown
      : `${markdown.split("<details")[0] ?? ""}\nToo long to be shown here: see the job's log.\n`;
  return `<!-- docker-node-plan ${JSON.stringify(markerOf(json))} -->\n${body.slice(0, LONGEST)}`;
}

/** The marker of a note; undefined for any other text. */
export function readMarker(body: string): Marker | undefined {
  const text = /^<!-- docker-node-plan (\{.*\}) -->$/m.exec(body.split("\n", 1)[0] ?? "")?.[1];
  try {
    return text === undefined ? undefined : marker.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What the labels of a request have to become. */
export interface Labels {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Labels for the plans of all stacks together; labels of other kinds are left alone. */
export function labelsFor(markers: readonly Marker[], present: readonly string[]): Labels {
  const wanted = new Set(markers.flatMap(({ risks }) => risks.map((risk) => `${RISK}${risk}`)));
  if (markers.some(({ dangers }) => dangers !== "")) wanted.add(BLOCKED);
  const ours = present.filter((label) => label === BLOCKED || label.startsWith(RISK));
  return {
    add: [...wanted].filter((label) => !present.includes(label)),
    remove: ours.filter((label) => !wanted.has(label)),
  };
}

/** What plans with `--drift` found in all stacks, each in a folder of its name; empty when nothing differs. */
export function driftReport(folder: string, stacks: readonly string[]): string {
  const reports = stacks.map((stack) => {
    if (!existsSync(join(folder, stack, "plan.json")))
      return `### Drift of stack \`${stack}\`\n\nIt could not be looked at: see the job's log.\n`;
    const { json, markdown } = readPlan(join(folder, stack));
    return json.changes || json.failed ? markdown : "";
  });
  return reports.filter((report) => report !== "").join("\n");
}
