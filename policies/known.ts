/**
 * Inputs with null for what is not known before the resource is made. Reading an unknown value throws, and a rule that did
 * would not be asked at all: the pack would only say that it could not run.
 */
export const knownInputs = (inputs: object): object => copy(inputs) as object;

function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  // `map` would read the elements itself.
  if (Array.isArray(value)) return Array.from({ length: value.length }, (_, at) => read(value, at));
  return Object.fromEntries(Object.keys(value).map((key) => [key, read(value, key)]));
}

function read(from: object, key: string | number): unknown {
  try {
    return copy((from as Record<string | number, unknown>)[key]);
  } catch {
    return null;
  }
}
