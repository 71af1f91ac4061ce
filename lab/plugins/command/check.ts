/**
 * Checks inputs against the table of schema.ts, adds its defaults and marks what it declares
 * secret.
 */
import type { Field, Shape } from "./schema";
import { hasUnknown, isArchive, isAsset, isObject, isSecret, reveal, toSecret } from "./values";
import type { Props, Value } from "./values";

export interface Failure {
  property: string;
  reason: string;
}

export interface Checked {
  inputs: Props;
  failures: Failure[];
}

function fits(value: Value, { type, values }: Field): boolean {
  switch (type) {
    case "list":
      return Array.isArray(value);
    case "map":
      return isObject(value);
    case "source":
      return isAsset(value) || isArchive(value);
    case "integer":
      return Number.isInteger(value);
    default:
      if (typeof type !== "string") return isObject(value);
      return typeof value === type && (values?.includes(value as string) ?? true);
  }
}

function describeExpected({ type, values }: Field): string {
  if (values) return `one of ${values.join(", ")}`;
  return typeof type === "string" ? type : "object";
}

/** Checks one present value; the result is secret if the value was, or if its field always is. */
function checkField(value: Value, field: Field, path: string, failures: Failure[]): Value {
  let result = reveal(value);
  // An object may be known apart from one property; anything else that is not known cannot be checked.
  const known = isObject(result) || !hasUnknown(result);
  if (known && !fits(result, field)) {
    failures.push({ property: path, reason: `expected ${describeExpected(field)}` });
  } else if (typeof field.type !== "string" && isObject(result)) {
    result = checkShape(result, field.type, path, failures);
  }
  return isSecret(value) || field.secret ? toSecret(result) : result;
}

function checkShape(inputs: Props, shape: Shape, path: string, failures: Failure[]): Props {
  const pathTo = (name: string): string => (path ? `${path}.${name}` : name);
  const result: Props = {};
  for (const [name, field] of Object.entries(shape.fields)) {
    const value = inputs[name] ?? field.default ?? null;
    if (value !== null) result[name] = checkField(value, field, pathTo(name), failures);
    else if (field.required)
      failures.push({ property: pathTo(name), reason: "missing required value" });
  }
  for (const name of Object.keys(inputs)) {
    if (!(name in shape.fields) && name !== "version" && !name.startsWith("__")) {
      failures.push({ property: pathTo(name), reason: "unrecognized property" });
    }
  }
  return result;
}

export function checkInputs(inputs: Props, shape: Shape): Checked {
  const failures: Failure[] = [];
  return { inputs: checkShape(inputs, shape, "", failures), failures };
}
