/** Waiting for something that another machine does. */
import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait. */
export interface Patience {
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Milliseconds after which the last look has been taken. */
  readonly limitMs: number;
  /** The clock; default: this machine's. */
  readonly now?: () => Date;
}

/**
 * Looks until there is something to see; undefined when time is up before. There is always one look, and what
 * a look throws ends it.
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
