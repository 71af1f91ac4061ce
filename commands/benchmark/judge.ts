/** Checks of a node, with the waivers that stand for what they find. */
import type { Waiver } from "../../config/schema/waivers";
import { BENCHMARK, isBenchmarkId, waiverIdOf } from "../../config/waivers/benchmark";
import type { Finding, Judges } from "./check";
import { CONTAINERS } from "./checks/containers";
import { DAEMON } from "./checks/daemon";
import { FILES } from "./checks/files";
import { HOST } from "./checks/host";
import type { Facts } from "./facts";

/** `person`: no program can tell. */
export type State = "pass" | "warn" | "waived" | "person";

/** A check of one node, judged and not yet waived. */
export interface Judged {
  readonly id: string;
  readonly title: string;
  readonly state: "pass" | "warn" | "person";
  readonly findings: readonly Finding[];
}

/** A check of one node with what is waived of it. */
export interface Result extends Omit<Judged, "state"> {
  readonly node: string;
  readonly state: State;
  /** Findings that no waiver stands for. */
  readonly open: readonly Finding[];
  readonly waivers: readonly Waiver[];
}

const JUDGES: Judges = { ...HOST, ...DAEMON, ...FILES, ...CONTAINERS };

/** All checks of a node, in the benchmark's order. */
export function judge(facts: Facts): Judged[] {
  return BENCHMARK.map(([id, title, of]) => {
    const judged = of === "person" ? undefined : JUDGES[id];
    if (!judged) return { id, title, state: "person", findings: [] };
    const findings = judged(facts);
    return { id, title, state: findings.length > 0 ? "warn" : "pass", findings };
  });
}

/** Applies the waivers of a node: a check is waived if each of its findings is. */
export function waive(node: string, judged: Judged, waivers: readonly Waiver[]): Result {
  const mine = waivers.filter(
    (one) => one.id === waiverIdOf(judged.id) && (one.node === "all" || one.node === node),
  );
  const found = judged.findings.map((finding) => ({
    finding,
    waiver: mine.find((one) => !one.container || one.container === finding.container),
  }));
  const open = found.flatMap(({ finding, waiver }) => (waiver ? [] : [finding]));
  const used = [...new Set(found.flatMap(({ waiver }) => waiver ?? []))];
  const state = judged.state === "warn" && open.length === 0 ? "waived" : judged.state;
  return { ...judged, node, state, open, waivers: used };
}

/**
 * Waivers of checks that nothing was found for, among those that can be told: of judged nodes, and those of all nodes
 * when all were judged.
 */
export function findUnusedWaivers(
  results: readonly Result[],
  waivers: readonly Waiver[],
  all: readonly string[],
): Waiver[] {
  const used = new Set(results.flatMap((result) => result.waivers));
  const judged = new Set(results.map(({ node }) => node));
  const whole = all.every((name) => judged.has(name));
  return waivers.filter(
    (one) =>
      isBenchmarkId(one.id) &&
      !used.has(one) &&
      (one.node === "all" ? whole : judged.has(one.node)),
  );
}
