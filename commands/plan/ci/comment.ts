/** `tsx commands/plan/ci/comment.ts DIR`: puts the plan in DIR into its stack's comment on the pull request. */
import { readVariable, run } from "./api";
import { comment, openGithub } from "./github";
import { readPlan } from "./note";

run(async () => {
  await comment(
    openGithub(),
    Number(readVariable("PULL_REQUEST")),
    readPlan(process.argv[2] ?? "."),
  );
  return 0;
});
