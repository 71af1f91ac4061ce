/** `tsx commands/plan/ci/approval.ts`: labels the pull request by its plans, and fails while a person has to approve. */
import { readStacks, readVariable, run } from "./api";
import { approve, openGithub } from "./github";

run(async () => {
  const planned = readVariable("PLAN_RESULT");
  if (planned !== "success" && planned !== "skipped") throw new Error(`planning: ${planned}`);
  const reason = await approve(openGithub(), Number(readVariable("PULL_REQUEST")), readStacks());
  process.stdout.write(`${reason ?? "nothing stands against merging"}\n`);
  return reason === undefined ? 0 : 1;
});
