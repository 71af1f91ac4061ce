/** What is known of the nodes before anything is declared: what the state has of them, and what they have themselves. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { CHECKED_STEPS, sentence, type CheckedStep } from "../../node/checks";
import { recordedNode, type RecordedNode, type State } from "../../node/recorded";
import { repairs } from "../../node/stdin";
import { lookAt, looksAtNodes } from "../drift";
import { ownState } from "./running";

/** A node that an earlier run has brought up. */
export interface Known {
  readonly recorded: RecordedNode;
  /** What makes a step run again; as recorded for one that has nothing to put right. */
  readonly repairs: Readonly<Partial<Record<CheckedStep, string>>>;
}

/**
 * The nodes that are known, by name. Each is looked at over SSH, all at once, and what was changed on it by hand is a warning; so is a
 * node that cannot be looked at.
 * @throws RunError when the switch has another value than `off`
 */
export async function knownNodes(settings: Settings): Promise<Readonly<Record<string, Known>>> {
  const looks = looksAtNodes();
  const state = await ownState().catch(unread);
  const nodes = Object.entries(settings.nodes).map(async ([name, node]) => {
    const recorded = recordedNode(name, node, state);
    if (!recorded) return [];
    return [[name, await known(name, node, recorded, looks)] as const];
  });
  return Object.fromEntries((await Promise.all(nodes)).flat());
}

/** Nothing of it is needed to bring a node up. */
async function unread(error: unknown): Promise<State> {
  await warn(`the stack's state cannot be read, so nodes count as new: ${String(error)}`);
  return {};
}

async function known(
  name: string,
  node: NodeConfig,
  recorded: RecordedNode,
  looks: boolean,
): Promise<Known> {
  const { differences, problems } = looks
    ? await lookAt(node, recorded)
    : { differences: [], problems: [] };
  for (const difference of differences) await warn(`${name}: ${sentence(difference)}`);
  for (const problem of problems)
    await warn(`${name}: not checked for changes by hand: ${problem}`);
  const tokens = CHECKED_STEPS.map((step) => {
    const own = differences.filter((difference) => difference.step === step);
    return [step, repairs(recorded.stdin[step], own)];
  });
  return { recorded, repairs: Object.fromEntries(tokens) as Known["repairs"] };
}

const warn = (message: string): Promise<void> => pulumi.log.warn(message);
