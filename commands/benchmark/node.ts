/** One node, judged, with its waivers. */
import type { Opened } from "../site/open";
import { readFacts } from "./facts";
import { dropDeclaredPorts } from "./ports";
import { judge, waive, type Result } from "./judge";
import { runOfficial } from "./official";

/**
 * @param script docker-bench-security.sh, to judge in the place of our checks
 * @throws CommandFailed or AnswerError with the reason
 */
export async function judgeNode(name: string, opened: Opened, script?: string): Promise<Result[]> {
  const shell = opened.shell(name);
  const judged = script ? await runOfficial(shell, script) : judge(await readFacts(shell));
  const { nodes, waivers } = opened.settings;
  const node = nodes[name];
  const left = node ? judged.map((one) => dropDeclaredPorts(one, node)) : judged;
  return left.map((one) => waive(name, one, waivers));
}
