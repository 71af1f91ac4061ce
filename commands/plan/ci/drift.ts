/** `tsx commands/plan/ci/drift.ts DIR`: opens, updates or closes the one issue about drift found in DIR/<stack>. */
import { readVariable, run } from "./api";
import { updateDriftIssue, openGithub } from "./github";
import { driftReport } from "./note";

run(async () => {
  const stacks = JSON.parse(readVariable("STACKS")) as string[];
  await updateDriftIssue(openGithub(), driftReport(process.argv[2] ?? ".", stacks));
  return 0;
});
