/** Reads the state of the nodes, and the nodes themselves, before anything is declared. */
import * as pulumi from "@pulumi/pulumi";
import { groupByNode } from "../../config/causes";
import type { Settings } from "../../config/load";
import { ConfigError, type Problem } from "../../config/problems";
import type { NodeConfig } from "../../config/schema";
import { nameResource } from "../../config/names";
import { checkableSteps } from "../../node/checkable";
import { describeDifference, type Difference } from "../../node/checks";
import { isUnconfirmed } from "../../node/firewall";
import { recordedNode, type RecordedNode, type State } from "../../node/recorded";
import { repairStdin } from "../../node/stdin";
import { NOTHING, lookAt, looksAtNodes, type Look } from "../drift";
import { messageOf } from "../failure";
import { lockOuts, shutOuts } from "./lockout";
import { checkNewcomer } from "./newcomers";
import { readOwnState } from "./running";

/** A node that an earlier run has brought up. */
export interface Known {
  readonly recorded: RecordedNode;
  /** Texts that make steps run again, by the names of their resources. It is the recorded text if there is nothing to repair. */
  readonly repairs: Readonly<Record<string, string | undefined>>;
}

/**
 * Returns the known nodes, by name. It checks all of them over SSH at the same time, and warns of changes by hand and of
 * nodes that cannot be checked.
 * @throws RunError if DOCKER_NODE_DRIFT has a value other than `off`, or if an `up` cannot read the stack's state
 * @throws ConfigError if a node refuses the user or key that the configuration has now, or was not asked about it, if its firewall would
 *   refuse this program, or if a new node cannot be as declared
 */
export async function learnNodes(settings: Settings): Promise<Readonly<Record<string, Known>>> {
  const looks = looksAtNodes();
  const state = await readOwnState().catch(reportUnread);
  const problems: Problem[] = [];
  const nodes = Object.entries(settings.nodes).map(async ([name, node]) => {
    const recorded = recordedNode(name, node, state);
    if (!recorded) {
      problems.push(...checkNewcomer(name, node));
      return [];
    }
    const look = looks ? await lookAt(node, recorded) : NOTHING;
    if (look.locked || !looks) problems.push(...lockOuts(name, node, recorded, looks));
    if (look.connection) problems.push(...shutOuts(name, node, look.connection));
    return [[name, await learnNode(name, node, recorded, look)] as const];
  });
  const known = Object.fromEntries((await Promise.all(nodes)).flat());
  if (problems.length > 0) throw new ConfigError(groupByNode(problems));
  return known;
}

/**
 * Warns in a preview, which touches nothing. An `up` would take each node for a new one: it would accept any host key, and neither
 * find changes by hand nor refuse what loses data or locks the program out.
 */
async function reportUnread(error: unknown): Promise<State> {
  const unread = `the stack's state cannot be read (${messageOf(error)})`;
  if (!pulumi.runtime.isDryRun())
    throw new pulumi.RunError(
      `${unread}, and without it no host key is known; nothing was changed. ` +
        "Run `pulumi stack export` until it works (login, passphrase, network), then `pulumi up` again",
    );
  await warn(`${unread}, so nodes count as new; up is refused until it can`);
  return {};
}

async function learnNode(
  name: string,
  node: NodeConfig,
  recorded: RecordedNode,
  { differences, problems }: Look,
): Promise<Known> {
  for (const difference of differences) await warn(`${name}: ${describeDifference(difference)}`);
  for (const problem of problems)
    await warn(`${name}: not checked for changes by hand: ${problem}`);
  const unconfirmed = isUnconfirmed(recorded.stdin.firewall, recorded.confirmed);
  if (unconfirmed) await warn(`${name}: nobody has confirmed its last firewall; up loads it again`);
  const all = unconfirmed ? [...differences, TAKEN_BACK] : differences;
  const tokens = checkableSteps(node).map(({ step }) => {
    const own = all.filter((difference) => difference.step === step);
    return [nameResource(name, step), repairStdin(recorded.stdin[step], own)] as const;
  });
  const repairs = Object.fromEntries(tokens);
  // What is loaded again to repair the node is confirmed again.
  const confirm = {
    [nameResource(name, "firewall-confirm")]: repairs[nameResource(name, "firewall")],
  };
  return { recorded, repairs: { ...repairs, ...confirm } };
}

/** Rules that were loaded and not confirmed: the node itself goes back to those before. */
const TAKEN_BACK: Difference = {
  step: "firewall",
  file: "/etc/docker-node/firewall.nft",
  key: "",
  found: "taken back",
  declared: "confirmed",
};

const warn = (message: string): Promise<void> => pulumi.log.warn(message);
