/** The stack that was recorded before the program got its present layout, as a state of today can be compared with it. */
import { read } from "./documents";

/** A resource that was recorded. The recording has only one parent in each URN. */
interface Recorded {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
}

export const BEFORE = JSON.parse(read("test/fixtures/stack/before-the-layout.json")) as {
  readonly resources: readonly Recorded[];
};

/** Types from the outermost parent to the resource itself, as a URN of Pulumi has them, and the name. */
function partsOf(urn: string): { types: string[]; name: string } {
  const [, , qualified = "", name = ""] = urn.split("::");
  return { types: qualified.split("$"), name };
}

/** All types from the outermost recorded parent to the resource. */
function chainOf({ urn }: Recorded, all: readonly Recorded[]): string[] {
  const { types } = partsOf(urn);
  const [parent = ""] = types;
  const above = types.length > 1 && all.find(({ type }) => type === parent);
  return above ? [...chainOf(above, all), ...types.slice(1)] : types;
}

/**
 * Holds the URNs of a stack against the recording, resource by resource of the same type and name.
 *
 * @returns earlier: the types of parents that are called something else today, by today's type; compared: how many there were
 * @throws Error if a resource had another number of parents: no change of types leads back to that
 */
export function compareTypes(
  urns: readonly string[],
  recorded: readonly Recorded[] = BEFORE.resources,
): { earlier: Map<string, string>; compared: number } {
  const earlier = new Map<string, string>();
  let compared = 0;
  for (const urn of urns) {
    const { types, name } = partsOf(urn);
    const before = recorded.find((one) => one.name === name && one.type === types.at(-1));
    if (!before) continue;
    const chain = chainOf(before, recorded);
    if (chain.length !== types.length) throw new Error(`${urn}: was ${chain.join("$")}`);
    compared += 1;
    types.forEach((type, index) => {
      if (type !== chain[index]) earlier.set(type, chain[index] ?? "");
    });
  }
  return { earlier, compared };
}

/** A state whose types are called as they were. */
export function renameTypes<T>(state: T, earlier: ReadonlyMap<string, string>): T {
  let text = JSON.stringify(state);
  for (const [today, before] of earlier)
    text = text.replaceAll(new RegExp(`${today.replaceAll(".", "\\.")}(?=["$]|::)`, "g"), before);
  return JSON.parse(text) as T;
}
