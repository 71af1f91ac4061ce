/** Looks at the nodes themselves, where no provider looks: what was changed by hand, and what a first run is going to change. */
import { NOTHING, lookAhead, lookAt, looksAtNodes, type Look } from "../../clients/drift";
import { openPulumi, type Deployed } from "../../clients/pulumi/stack";
import { nameResource } from "../../config/names";
import { COMMAND, VM } from "../../config/resource-types";
import type { NodeConfig } from "../../config/schema";
import { CHECKED_STEPS, type CheckedStep } from "../../node/checkable";
import { recordedNode, type RecordedNode, type State } from "../../node/recorded";
import type { NodeLook, NodePlan, Plan } from "./model";

/**
 * Looks at the nodes that the stack has brought up, all at once, each in one session; only those with something to
 * say. Undefined where the environment turns the check off.
 * @throws Error when it is not known what the nodes are
 */
export async function lookAtNodes(
  stack: string,
  cwd?: string,
): Promise<readonly NodeLook[] | undefined> {
  if (!looksAtNodes()) return undefined;
  return lookAtEach(stack, cwd, (node, recorded) => (recorded ? lookAt(node, recorded) : NOTHING));
}

/**
 * Looks at the nodes that are there already and on which a step is going to run for the first time, such as adopted ones: what
 * differs is what `up` is going to change. Undefined where there is none, and where the environment turns the check off.
 * @throws Error when it is not known what the nodes are
 */
export async function lookAtAdopted(
  { stack, nodes }: Pick<Plan, "stack" | "nodes">,
  cwd?: string,
): Promise<readonly NodeLook[] | undefined> {
  const first = new Map(nodes.map((node) => [node.name, firstSteps(node)]));
  if (![...first.values()].some((steps) => steps.length > 0) || !looksAtNodes()) return undefined;
  return lookAtEach(stack, cwd, (node, recorded, name) =>
    lookAhead(node, first.get(name) ?? [], recorded),
  );
}

/** Steps that can be checked, and have never run on a machine that is there. */
function firstSteps({ name, changes }: NodePlan): CheckedStep[] {
  const isMade = changes.some(
    ({ type, action }) => type === VM && (action === "create" || action === "replace"),
  );
  if (isMade) return [];
  const made = changes.filter(({ type, action }) => type === COMMAND && action === "create");
  return CHECKED_STEPS.filter((step) => made.some((one) => one.name === nameResource(name, step)));
}

async function lookAtEach(
  stack: string,
  cwd = process.cwd(),
  look: (
    node: NodeConfig,
    recorded: RecordedNode | undefined,
    name: string,
  ) => Look | Promise<Look>,
): Promise<readonly NodeLook[]> {
  const pulumi = openPulumi(stack, cwd);
  const { settings, problems } = await pulumi.configuration();
  if (!settings) throw new Error(`the nodes are not looked at: ${problems.join("; ")}`);
  const state = stateOf(await pulumi.resources());
  const looks = Object.entries(settings.nodes).map(async ([name, node]) => {
    const seen = await look(node, recordedNode(name, node, state), name);
    return { name, differences: seen.differences, problems: seen.problems };
  });
  return (await Promise.all(looks)).filter(
    ({ differences, problems: why }) => differences.length + why.length > 0,
  );
}

const stateOf = (resources: readonly Deployed[]): State =>
  Object.fromEntries(resources.filter((one) => !one.delete).map((one) => [one.urn, one]));
