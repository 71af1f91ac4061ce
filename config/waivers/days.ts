import type { Waiver } from "../schema/waivers";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Longest time until a waiver is looked at again. */
export const LONGEST_DAYS = 366;

/** Days before its end from which on a waiver is told of. */
export const SOON_DAYS = 30;

/** The day it is, as waivers have it: of UTC. */
export function dayOf(now: Date): string {
  return now.toISOString().slice(0, 10);
}

/** The day so many days later, as waivers have it. */
export const dayAfter = (now: Date, days: number): string =>
  dayOf(new Date(now.getTime() + days * DAY_MS));

/** Whole days a waiver still holds after today; negative when it has expired. */
export function daysLeft({ expires }: Pick<Waiver, "expires">, now: Date): number {
  return Math.round((Date.parse(expires) - Date.parse(dayOf(now))) / DAY_MS);
}

/** A line for each waiver that ends soon, those that end first before the others. */
export function warnOfEnding(waivers: readonly Waiver[], now: Date): string[] {
  return waivers
    .filter((waiver) => daysLeft(waiver, now) <= SOON_DAYS)
    .sort((a, b) => a.expires.localeCompare(b.expires))
    .map((waiver) => {
      const { id, vulnerability, node, expires, owner } = waiver;
      const days = daysLeft(waiver, now);
      const left = days === 0 ? "today" : `in ${days} ${days === 1 ? "day" : "days"}`;
      return `waiver of ${vulnerability ?? id} for ${node} ends ${left}, on ${expires}; then nothing goes on until ${owner} renews it or the value is gone`;
    });
}
