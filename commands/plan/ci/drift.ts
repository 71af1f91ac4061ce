/** `tsx commands/plan/ci/drift.ts DIR`: opens, updates or closes the one issue about drift found in DIR/<stack>. */
import { readStacks, run } from "./api";
import { updateDriftIssue, openGithub } from "./github";
import { driftReport } from "./note";

run(async () => {
  await updateDriftIssue(openGithub(), driftReport(process.argv[2] ?? ".", readStacks()));
  return 0;
});
