/** `tsx commands/plan/ci/drift-gitlab.ts DIR`: opens, updates or closes the one issue about drift found in DIR/<stack>. */
import { readStacks, run } from "./api";
import { updateDriftIssue, projectApi } from "./gitlab";
import { driftReport } from "./note";

run(async () => {
  await updateDriftIssue(projectApi(), driftReport(process.argv[2] ?? ".", readStacks()));
  return 0;
});
