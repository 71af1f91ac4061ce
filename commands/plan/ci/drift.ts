/** `tsx commands/plan/ci/drift.ts DIR`: opens, updates or closes the one issue about drift found in DIR/<stack>. */
import { readVariable, run } from "./api";
import { driftIssue, openGithub } from "./github";
import { driftReport } from "./note";

run(async () => {
  const stacks = JSON.parse(readVariable("STACKS")) as string[];
  await driftIssue(openGithub(), driftReport(process.argv[2] ?? ".", stacks));
  return 0;
});
