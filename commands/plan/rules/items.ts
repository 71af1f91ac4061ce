/** Lists of maps among the inputs of a resource, such as rules and NICs. */
import type { Value } from "../model";

export type Item = Record<string, Value>;

/** The entries of a list that are maps. */
export function itemsOf(value: Value | undefined): Item[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (item): item is Item => typeof item === "object" && item !== null && !Array.isArray(item),
  );
}

/** A text or a number as text. */
export const asWord = (value: Value | undefined, otherwise: string): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : otherwise;
