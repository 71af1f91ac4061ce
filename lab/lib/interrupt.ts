/** Ctrl-C while a lab is brought up or used. */
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Instance } from "./instance";
import type { Log } from "./service";
import { removeLab } from "./services";

/**
 * Runs what may bring up a lab. The terminal sends Ctrl-C to the engine and to builds too, which end by
 * themselves; what goes on after half a minute is not waited for. A lab that was begun here is then taken
 * down again, one that was there before stays, and the process ends with status 130.
 */
export function interruptible<T>(
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
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  // Once interrupted, the process ends as said above, and not by what became of the work.
  const never = new Promise<never>(() => undefined);
  return running.finally(() => (interrupted ? never : undefined));
}
