/** `tsx commands/plan/ci/drift-gitlab.ts DIR`: opens, updates or closes the one issue about drift found in DIR/<stack>. */
import { readVariable, run } from "./api";
import { updateDriftIssue, projectApi } from "./gitlab";
import { driftReport } from "./note";

run(async () => {
  const stacks = JSON.parse(readVariable("STACKS")) as string[];
  await updateDriftIssue(projectApi(), driftReport(process.argv[2] ?? ".", stacks));
  return 0;
});
