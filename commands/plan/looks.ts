/** Finds what was changed by hand on the nodes themselves, where no provider looks. */
import { lookAt, looksAtNodes } from "../../clients/drift";
import { openPulumi, type Deployed } from "../../clients/pulumi/stack";
import { recordedNode, type State } from "../../node/recorded";
import type { NodeLook } from "./model";

/**
 * Looks at the nodes that the stack has brought up, all at once, each in one session; only those with something to
 * say. Undefined where the environment turns the check off.
 * @throws Error when it is not known what the nodes are
 */
export async function lookAtNodes(
  stack: string,
  cwd = process.cwd(),
): Promise<readonly NodeLook[] | undefined> {
  if (!looksAtNodes()) return undefined;
  const pulumi = openPulumi(stack, cwd);
  const { settings, problems } = await pulumi.configuration();
  if (!settings) throw new Error(`the nodes are not looked at: ${problems.join("; ")}`);
  const state = stateOf(await pulumi.resources());
  const nodes = Object.entries(settings.nodes).map(async ([name, node]) => {
    const recorded = recordedNode(name, node, state);
    if (!recorded) return [];
    const { differences, problems: why } = await lookAt(node, recorded);
    return [{ name, differences, problems: why }];
  });
  const looks = (await Promise.all(nodes)).flat();
  return looks.filter(({ differences, problems: why }) => differences.length + why.length > 0);
}

const stateOf = (resources: readonly Deployed[]): State =>
  Object.fromEntries(resources.filter((one) => !one.delete).map((one) => [one.urn, one]));
