/** Where workloads run, compared with where the state has them: what moves, what stays, and what may not move. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../config/load";
import type { Placement } from "../../config/placement";
import { ConfigError, type Problem } from "../../config/problems";
import type { Known } from "./known";

/** The nodes that are known, by name. */
type Nodes = Readonly<Record<string, Pick<Known, "recorded">>>;

/** What runs on a node after the last `up`. */
const ranOn = (node: string, known: Nodes): string[] =>
  Object.keys(known[node]?.recorded.workloads ?? {});

/** A workload that leaves nodes for others. */
interface Move {
  readonly workload: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

function movesOf({ workloads, nodes }: Placement, known: Nodes): Move[] {
  return workloads.flatMap((workload) => {
    const before = Object.keys(known).filter((node) => ranOn(node, known).includes(workload));
    const from = before.filter((node) => !nodes.includes(node));
    const to = nodes.filter((node) => !before.includes(node));
    return from.length > 0 && to.length > 0 ? [{ workload, from, to }] : [];
  });
}

/**
 * Refuses to move a workload away from a volume: the data would stay where it was, and the workload would begin without.
 * @throws ConfigError that names workload, volumes and nodes
 */
export function refuseMoves({ placements }: Settings, known: Nodes): void {
  const problems = placements.flatMap((placement) =>
    movesOf(placement, known).flatMap((move) => describeLoss(placement, move, known)),
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

function describeLoss(
  { name, leaves }: Placement,
  { workload, from, to }: Move,
  known: Nodes,
): Problem[] {
  return from.flatMap((node) => {
    const volumes = known[node]?.recorded.workloads[workload]?.volumes ?? [];
    const lost = volumes.filter((volume) => !leaves.includes(volume)).join(", ");
    if (lost === "") return [];
    return [
      {
        path: [...name.split("."), "place"],
        value: undefined,
        found: `${workload} would go from ${node} to ${to.join(", ")} and leave its data in ${lost} behind`,
        allowed: `node: ${node}, or leaves: [${lost}] if the data may stay there`,
      },
    ];
  });
}

/** Tells where each workload of the stack runs, and warns of what moves and of nodes that are drained. */
export async function tellPlacements(settings: Settings, known: Nodes): Promise<void> {
  for (const { name, nodes } of settings.placements)
    await pulumi.log.info(`${name} runs on ${nodes.join(", ")}`);
  for (const line of describeMoves(settings, known)) await pulumi.log.warn(line);
}

/** Lines about what moves, and about drained nodes. */
function describeMoves({ placements, nodes }: Settings, known: Nodes): string[] {
  const moves = placements.flatMap((placement) => movesOf(placement, known));
  const drained = Object.entries(nodes).flatMap(([name, { drain, workloads }]) => {
    if (!drain) return [];
    const ran = ranOn(name, known);
    const here = Object.keys(workloads);
    const stops = ran.filter((workload) => !here.includes(workload) && !isMoving(workload, moves));
    const parts = [
      ...(stops.length > 0 ? [`${stops.join(", ")} stops`] : []),
      here.length > 0 ? `${here.join(", ")} stays` : "nothing stays",
    ];
    return [`${name} is drained (${drain}): ${parts.join("; ")}; volumes stay`];
  });
  const lines = moves.map(
    ({ workload, from, to }) => `${workload} moves from ${from.join(", ")} to ${to.join(", ")}`,
  );
  return [...drained, ...lines];
}

const isMoving = (name: string, moves: readonly Move[]): boolean =>
  moves.some(({ workload }) => workload === name);
