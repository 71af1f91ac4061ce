/**
 * `tsx commands/plan/ci/gitlab.ts DIR`: puts the plans of DIR/<stack> into one note per stack on the merge request,
 * labels it, and fails while a person has to approve.
 */
import { join } from "node:path";
import { z } from "zod";
import { parseAnswer } from "../../../clients/answer";
import { listAll, makeApi, readStacks, readVariable, run, type Api } from "./api";
import {
  APPROVED,
  DRIFT_TITLE,
  isDrift,
  labelsFor,
  markerOf,
  noteOf,
  readMarker,
  readPlan,
  writeDrift,
  type Marker,
} from "./note";

/* What GitLab's documentation says of its answers. */
const user = z.object({ id: z.number() });
const requestNote = z.object({ id: z.number(), body: z.string(), author: user });
const mergeRequest = z.object({ labels: z.array(z.string()) });
const issue = z.object({ iid: z.number(), description: z.string().nullish() });

/** Updates the notes; returns the markers, and whether an approval still holds. */
export async function writeNotes(
  forge: Api,
  self: number,
  folders: readonly string[],
): Promise<{ markers: Marker[]; same: boolean }> {
  const existing = (await listAll(forge, "/notes", requestNote)).filter(
    ({ author }) => author.id === self,
  );
  const markers: Marker[] = [];
  let same = true;
  for (const folder of folders) {
    const plan = readPlan(folder);
    const [body, marker] = [noteOf(plan), markerOf(plan.json)];
    const mine = existing.find((note) => readMarker(note.body)?.stack === marker.stack);
    const before = mine && readMarker(mine.body);
    if (marker.dangers && marker.dangers !== (before?.dangers ?? "")) same = false;
    if (mine) await forge.call("PUT", `/notes/${mine.id}`, { body });
    else await forge.call("POST", "/notes", { body });
    markers.push(marker);
  }
  return { markers, same };
}

/** Labels the merge request; says whether it may be merged. */
export async function setLabels(
  forge: Api,
  markers: readonly Marker[],
  same: boolean,
): Promise<boolean> {
  const { labels } = parseAnswer(mergeRequest, await forge.call("GET", ""), "GET merge request");
  const { add, remove } = labelsFor(markers, labels);
  const gone = same ? remove : [...remove, APPROVED];
  await forge.call("PUT", "", { add_labels: add.join(","), remove_labels: gone.join(",") });
  const dangerous = markers.some(({ dangers }) => dangers !== "");
  return !dangerous || (same && labels.includes(APPROVED));
}

/** Opens, updates or closes the one issue about drift; `report` is empty when there is none. */
export async function updateDriftIssue(forge: Api, report: string): Promise<void> {
  const open = await listAll(forge, "/issues?state=opened&labels=drift", issue);
  const ours = open.find((one) => isDrift(one.description));
  const description = writeDrift(report);
  if (report === "") {
    if (ours) await forge.call("PUT", `/issues/${ours.iid}`, { state_event: "close" });
  } else if (ours) await forge.call("PUT", `/issues/${ours.iid}`, { description });
  else await forge.call("POST", "/issues", { title: DRIFT_TITLE, description, labels: "drift" });
}

/** The pipeline's project, below it `path`, with the token of a project bot (scope `api`). */
export function projectApi(path = ""): Api {
  const project = encodeURIComponent(readVariable("CI_PROJECT_PATH"));
  return openGitlab(`/projects/${project}${path}`);
}

const openGitlab = (path: string): Api =>
  makeApi(`${readVariable("CI_API_V4_URL")}${path}`, {
    "private-token": readVariable("GITLAB_TOKEN"),
  });

async function main(): Promise<number> {
  const request = projectApi(`/merge_requests/${readVariable("CI_MERGE_REQUEST_IID")}`);
  const { id } = parseAnswer(user, await openGitlab("").call("GET", "/user"), "GET /user");
  const folders = readStacks().map((stack) => join(process.argv[2] ?? ".", stack));
  const { markers, same } = await writeNotes(request, id, folders);
  if (await setLabels(request, markers, same)) return 0;
  process.stderr.write(`a person has to add the label "${APPROVED}" and run this job again\n`);
  return 1;
}

if (require.main === module) run(main);
