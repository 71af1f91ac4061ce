import { createHash } from "node:crypto";

/**
 * Orders nodes for a workload by rendezvous hashing: each node has a weight for it, which no other node changes. So a node that is
 * added takes over what it is the best for and moves nothing else, and one that goes gives away only what it has.
 */
export function rankNodes(key: string, nodes: readonly string[]): string[] {
  const weightOf = (node: string): string =>
    createHash("sha256").update(`${key}\0${node}`).digest("hex");
  return nodes
    .map((node) => ({ node, weight: weightOf(node) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ node }) => node);
}
