/** GitHub: one comment per stack on a pull request, its labels, the approval, one issue for drift. */
import { z } from "zod";
import { listAll, makeApi, readVariable, type Api } from "./api";
import {
  APPROVED,
  DRIFT_TITLE,
  isDrift,
  labelsFor,
  markerOf,
  noteOf,
  readMarker,
  writeDrift,
  type Marker,
  type Written,
} from "./note";

/* What GitHub's documentation says of its answers; a user who is gone is null. */
const user = z.object({ login: z.string() }).nullish();
const issueComment = z.object({ id: z.number(), body: z.string().nullish(), user });
const label = z.object({ name: z.string() });
const issueEvent = z.object({
  event: z.string(),
  label: z.object({ name: z.string().nullish() }).nullish(),
  actor: z.object({ type: z.string() }).nullish(),
});
const issue = z.object({ number: z.number(), body: z.string().nullish(), user });

/** The author whose comments count. A marker in a comment of anybody else is a forgery. */
const BOT = "github-actions[bot]";

/** The repository of the workflow, with the job's own token. */
export function openGithub(): Api {
  const base = process.env.GITHUB_API_URL ?? "https://api.github.com";
  return makeApi(`${base}/repos/${readVariable("GITHUB_REPOSITORY")}`, {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${readVariable("GITHUB_TOKEN")}`,
    "x-github-api-version": "2022-11-28",
  });
}

/** Puts a stack's plan into its comment. An approval that was given for other dangers no longer holds. */
export async function comment(forge: Api, pull: number, written: Written): Promise<void> {
  const body = noteOf(written);
  const now = markerOf(written.json);
  const all = await planComments(forge, pull);
  const mine = all.find(({ marker }) => marker.stack === now.stack);
  const before = mine?.marker.dangers ?? "";
  if (now.dangers && now.dangers !== before)
    await forge.call("DELETE", `/issues/${pull}/labels/${encodeURIComponent(APPROVED)}`);
  if (mine) await forge.call("PATCH", `/issues/comments/${mine.id}`, { body });
  else await forge.call("POST", `/issues/${pull}/comments`, { body });
}

/**
 * Labels a pull request by the plans of all its stacks; returns why it must not be merged, or undefined.
 * @param stacks those of the repository: what is left of a stack that is gone does not count
 */
export async function approve(
  forge: Api,
  pull: number,
  stacks: readonly string[],
): Promise<string | undefined> {
  const found = (await planComments(forge, pull)).map(({ marker }) => marker);
  const markers = found.filter(({ stack }) => stacks.includes(stack));
  const missing = stacks.filter((name) => !markers.some(({ stack }) => stack === name));
  const path = `/issues/${pull}/labels`;
  const present = (await listAll(forge, path, label)).map(({ name }) => name);
  const { add, remove } = labelsFor(markers, present);
  if (add.length > 0) await forge.call("POST", path, { labels: add });
  for (const label of remove) await forge.call("DELETE", `${path}/${encodeURIComponent(label)}`);
  if (missing.length > 0) return `no plan yet of ${missing.join(", ")}`;
  const dangerous = markers.filter(({ dangers }) => dangers !== "").map(({ stack }) => stack);
  if (dangerous.length === 0) return undefined;
  if (present.includes(APPROVED) && (await isApprovedByPerson(forge, pull))) return undefined;
  return `dangerous for ${dangerous.join(", ")}: a person has to add the label "${APPROVED}"`;
}

async function planComments(forge: Api, pull: number): Promise<{ id: number; marker: Marker }[]> {
  const all = await listAll(forge, `/issues/${pull}/comments`, issueComment);
  return all.flatMap(({ id, body, user: author }) => {
    const marker = author?.login === BOT ? readMarker(body ?? "") : undefined;
    return marker ? [{ id, marker }] : [];
  });
}

/** Whether a person added the label last. A workflow may not approve itself. */
async function isApprovedByPerson(forge: Api, pull: number): Promise<boolean> {
  const events = await listAll(forge, `/issues/${pull}/events`, issueEvent);
  const added = events.filter((one) => one.event === "labeled" && one.label?.name === APPROVED);
  return added.at(-1)?.actor?.type === "User";
}

/** Opens, updates or closes the one issue about drift; `report` is empty when there is none. */
export async function updateDriftIssue(forge: Api, report: string): Promise<void> {
  const open = await listAll(forge, "/issues?state=open&labels=drift", issue);
  const ours = open.find((one) => one.user?.login === BOT && isDrift(one.body));
  const body = writeDrift(report);
  if (report === "") {
    if (ours) await forge.call("PATCH", `/issues/${ours.number}`, { state: "closed" });
  } else if (ours) await forge.call("PATCH", `/issues/${ours.number}`, { body });
  else await forge.call("POST", "/issues", { title: DRIFT_TITLE, body, labels: ["drift"] });
}
