/** `docker-node validate` on the lab's stack. */
import type { Result } from "../../commands/validate/row";
import { ask } from "../../clients/process";
import type { Lab } from "../../lab/lib/services";
import { cliEnv } from "../../lab/lib/stack";
import { log } from "./support";

export interface Validated {
  readonly status: number | undefined;
  /** The state of each row, by node and id. */
  readonly states: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** As a person types it: its exit status, and what became of every row. */
export async function validate(
  lab: Lab,
  options: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Validated> {
  const args = ["docker-node", "validate", "--stack", "lab", "--json", ...options];
  const { code, stdout, stderr } = await ask({
    ...{ program: "npx", args },
    env: { ...cliEnv(lab), ...env },
  });
  log(stdout || stderr);
  const states: Record<string, Record<string, string>> = {};
  for (const { node, id, state } of (JSON.parse(stdout) as { rows: Result[] }).rows)
    (states[node] ??= {})[id] = state;
  return { status: code, states };
}

/** Options for these rows alone. */
export const onlyRows = (ids: readonly string[]): string[] => ids.flatMap((id) => ["--only", id]);
