/** Runs Pulumi for its events. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { ask } from "../process";
import { withScratch } from "../scratch";

/** What to preview. */
export interface PreviewOptions {
  /** The stack; default: the selected one. */
  readonly stack?: string;
  /** Compare what is recorded with what is really there, instead of with the program. */
  readonly drift?: boolean;
  /** Folder of a policy pack that judges the preview. With `drift` no pack judges. */
  readonly policyPack?: string;
  /** Directory of the Pulumi project; default: the current one. */
  readonly cwd?: string;
}

/** What a run of Pulumi left behind. */
export interface Previewed {
  readonly events: EngineEvent[];
  readonly status: number;
  /** What Pulumi said on standard error; only of interest when it sent no events. */
  readonly complaint: string;
}

/**
 * Runs `pulumi preview`, or `pulumi refresh --preview-only` for drift. The event log holds debug
 * messages with decrypted secrets: it lies in a directory of its own that only this user can read,
 * and is gone when this returns.
 */
export async function preview(options: PreviewOptions = {}): Promise<Previewed> {
  return withScratch("plan", async (folder) => {
    const log = join(folder, "events.ndjson");
    const { status, complaint } = await runPulumi(
      [...commandLine(options), "--event-log", log],
      options.cwd,
    );
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    return { events: parseEvents(text), status, complaint };
  });
}

/** Arguments of the `pulumi` that is run. */
export function commandLine({ stack, drift = false, policyPack }: PreviewOptions): string[] {
  const policies = policyPack === undefined ? [] : ["--policy-pack", policyPack];
  const command = drift ? ["refresh", "--preview-only"] : ["preview", ...policies];
  return [...command, "--non-interactive", "--color=never", ...(stack ? ["--stack", stack] : [])];
}

async function runPulumi(
  args: string[],
  cwd?: string,
): Promise<{ status: number; complaint: string }> {
  // `--event-log` is one of Pulumi's debugging flags; the Automation API uses it in the same way.
  const env = { PULUMI_DEBUG_COMMANDS: "true", PULUMI_SKIP_UPDATE_CHECK: "true" };
  const { code, stderr } = await ask({ program: "pulumi", args, env, cwd });
  if (code === undefined) throw new Error("the Pulumi CLI does not start; is it installed?");
  return { status: code, complaint: stderr.trim() };
}

/**
 * Events from the lines of an event log. A last line cut off by a crash is left out.
 * @throws Error naming the first other line that is no event
 */
export function parseEvents(text: string): EngineEvent[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.flatMap((line, index) => {
    try {
      return [JSON.parse(line) as EngineEvent];
    } catch (error) {
      if (index === lines.length - 1) return [];
      throw new Error(`line ${index + 1} is no event of Pulumi`, { cause: error });
    }
  });
}
