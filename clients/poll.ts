/** Waits for something that another machine does. */
import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait. */
export interface Patience {
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Milliseconds after which it stops looking. */
  readonly limitMs: number;
  /** The clock; default: this machine's. */
  readonly now?: () => Date;
}

/**
 * Looks again and again until a look returns something; undefined when the time is up. It looks at least once. An error
 * of a look ends it.
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
