/** Ctrl-C while a lab is brought up or used. */
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Instance } from "./instance";
import type { Log } from "./service";
import { removeLab } from "./services";

/**
 * Runs work that may bring up a lab. The terminal sends Ctrl-C also to pulumi and to builds, which then end by themselves;
 * this waits for them half a minute at most. Then it takes down a lab that was started here. A lab that existed before
 * stays. The process ends with status 130.
 */
export function runInterruptible<T>(
  here: Instance,
  log: Log,
  work: (interrupted: () => boolean) => Promise<T>,
): Promise<T> {
  const fresh = !fs.existsSync(here.stateDir);
  let interrupted = false;
  const running = work(() => interrupted);
  const stop = (): void => {
    if (interrupted) return;
    interrupted = true;
    log(fresh ? "\ninterrupted: taking the lab down" : "\ninterrupted: the lab goes on");
    const ended = Promise.race([running.catch(() => undefined), sleep(30_000)]);
    void ended.then(() => (fresh ? removeLab(here) : undefined)).finally(() => process.exit(130));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, stop);
  // After an interruption the process ends as said above, whether or not the work succeeded.
  const never = new Promise<never>(() => undefined);
  return running.finally(() => {
    if (interrupted) return never;
    for (const signal of signals) process.off(signal, stop);
    return undefined;
  });
}
