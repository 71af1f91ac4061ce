/** Reads URNs of Pulumi: `urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`. */

/** `docker:index/volume:Volume` of a URN, without its parents' types; empty when it has none. */
export const typeOf = (urn: string): string => (urn.split("::")[2] ?? "").split("$").at(-1) ?? "";

/** Logical name of a URN. */
export const nameOf = (urn: string): string => urn.split("::").at(-1) ?? urn;

/** URN of the provider that a resource of a state refers to, as `URN::ID`. */
export const providerOf = (reference: string): string =>
  reference.slice(0, Math.max(0, reference.lastIndexOf("::")));
