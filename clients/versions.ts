/** Compares versions as programs print them, which need not be semver. */
import { coerce, gte, satisfies } from "semver";

/** Whether a version such as `v3.200.0-dev` or `8.4-1` is the wanted one or later. False if it has no number. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [found, least] = [coerce(version), coerce(wanted)];
  return found !== null && least !== null && gte(found, least);
}

/** Whether a version lies in a range such as `>=20.12 <25`. */
export function isInRange(version: string, range: string): boolean {
  return satisfies(coerce(version) ?? version, range);
}
