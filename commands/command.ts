/** What the commands share: which stack, how errors end, and Ctrl-C. */
import { openStack, type Opened } from "./site/open";
import { credentialsFrom } from "../clients/backup-server";
import type { Print } from "./restore/steps";

/** Wrong usage: told in one line, with the usage below it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const print: Print = (line) => {
  process.stdout.write(`${line}\n`);
};

/** Progress, beside the result on standard output. */
export const complain: Print = (line) => {
  process.stderr.write(`${line}\n`);
};

/** The stack named; `lab` is the running lab's. */
export async function open(stack: string): Promise<Opened> {
  const environment = process.env;
  // Only then: a workstation at three in the morning needs nothing of the lab.
  if (stack === "lab") return (await import("../lab/drill/open.js")).openRunningLab(complain);
  return openStack(stack, {
    credentials: () => credentialsFrom(environment),
    proxmoxToken: environment["PROXMOX_RESTORE_TOKEN"],
  });
}

/** Runs a command to its exit status: 0 done, 1 failed, 2 wrong usage. */
export function finish(work: Promise<number>, usage: string): void {
  work.then(
    (code) => process.exit(code),
    (error: unknown) => {
      complain(error instanceof Error ? error.message : String(error));
      if (error instanceof UsageError) complain(`\n${usage}`);
      process.exit(error instanceof UsageError ? 2 : 1);
    },
  );
}

/** parseArgs throws on what it does not know. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/**
 * While data is moved, Ctrl-C takes effect at the end of the step under way: what was begun is then taken
 * back, which a process that dies at once could not do.
 */
export function holdInterrupts(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const note = (): void => {
    complain("interrupted: this step is ended, then what was begun is taken back");
    controller.abort(new Error("interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, note);
  const release = (): void => {
    for (const signal of signals) process.off(signal, note);
  };
  return { signal: controller.signal, release };
}
