/** Runs the engine for its events. */
import { spawn } from "node:child_process";
import { mkdtempSync, existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { parseEvents } from "../../commands/plan/events";

export interface PreviewOptions {
  /** The stack; default: the selected one. */
  readonly stack?: string;
  /** Compare what is recorded with what is really there, instead of with the program. */
  readonly drift?: boolean;
}

/** What a run of the engine left behind. */
export interface Previewed {
  readonly events: EngineEvent[];
  readonly status: number;
  /** What the engine said on standard error; only of interest when it sent no events. */
  readonly complaint: string;
}

/**
 * Runs `pulumi preview`, or `pulumi refresh --preview-only` for drift. The event log holds debug
 * messages with decrypted secrets: it lies in a directory of its own that only this user can read,
 * and is gone when this returns.
 */
export async function preview(options: PreviewOptions = {}): Promise<Previewed> {
  const folder = mkdtempSync(join(tmpdir(), "docker-node-plan-"));
  const log = join(folder, "events.ndjson");
  try {
    const { status, complaint } = await pulumi([...commandLine(options), "--event-log", log]);
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    return { events: parseEvents(text), status, complaint };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Arguments of the `pulumi` that is run. */
export function commandLine({ stack, drift = false }: PreviewOptions): string[] {
  const command = drift ? ["refresh", "--preview-only"] : ["preview"];
  return [...command, "--non-interactive", "--color=never", ...(stack ? ["--stack", stack] : [])];
}

function pulumi(args: string[]): Promise<{ status: number; complaint: string }> {
  return new Promise((resolve, reject) => {
    // `--event-log` is one of the engine's debugging flags; the Automation API uses it in the same way.
    const env = { ...process.env, PULUMI_DEBUG_COMMANDS: "true", PULUMI_SKIP_UPDATE_CHECK: "true" };
    const child = spawn("pulumi", args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let complaint = "";
    child.stderr.on("data", (data: Buffer) => (complaint += data.toString()));
    child.on("error", (cause) => {
      reject(new Error("the Pulumi CLI does not start; is it installed?", { cause }));
    });
    child.on("close", (status) => {
      resolve({ status: status ?? 1, complaint: complaint.trim() });
    });
  });
}
