/** Waits for something that another machine does. */
import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait. */
export interface Patience {
  /** Milliseconds between two calls. */
  readonly everyMs: number;
  /** Milliseconds after which it gives up. */
  readonly limitMs: number;
  /** The clock; default: this machine's. */
  readonly now?: () => Date;
}

/**
 * Calls a function until it returns something. Undefined when the time is up. It calls at least once, and an error of a
 * call ends it.
 */
export async function poll<T>(
  { everyMs, limitMs, now = () => new Date() }: Patience,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = now().getTime() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined || now().getTime() >= deadline) return found;
    await sleep(everyMs);
  }
}
