/** Versions as programs print them, which is not always as semver writes them. */
import { coerce, gte, satisfies } from "semver";

/** Is a version such as `v3.200.0-dev` or `8.4-1` the wanted one or later? A version without a number is not. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [found, least] = [coerce(version), coerce(wanted)];
  return found !== null && least !== null && gte(found, least);
}

/** Does a version lie in a range such as `>=20.12 <25`? */
export function isInRange(version: string, range: string): boolean {
  return satisfies(coerce(version) ?? version, range);
}
