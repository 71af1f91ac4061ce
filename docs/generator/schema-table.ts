/** Schemas as tables of a reference page. */
import { z } from "zod";

/** The part of JSON Schema that zod writes here. */
export interface Schema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  propertyNames?: Schema;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | false;
  $ref?: string;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
}

/** A heading, and a row for each key. */
export function schemaSection(title: string, schema: z.ZodType): string {
  const head = ["| key | type | default | meaning |", "|---|---|---|---|"];
  return [`## ${title}`, "", ...head, ...schemaRows(toSchema(schema))].join("\n");
}

/** A schema as its writer has to fill it in; with "output", as its reader finds it. */
export function toSchema(schema: z.ZodType, io: "input" | "output" = "input"): Schema {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Schema;
}

function schemaRows(schema: Schema, prefix = ""): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    if (path === "engine.daemon")
      return [`| \`${path}\` | daemon.json | as specified | see below |`];
    const required = (schema.required ?? []).includes(key);
    return [fieldRow(path, value, required), ...nestedRows(path, value)];
  });
}

function nestedRows(path: string, value: Schema): string[] {
  const map =
    typeof value.additionalProperties === "object" ? value.additionalProperties : undefined;
  return [
    ...schemaRows(value, `${path}.`),
    ...(map ? [...schemaRows(map, `${path}.<name>.`), ...branchRows(`${path}.<name>`, map)] : []),
    ...(value.items ? schemaRows(value.items, `${path}[].`) : []),
    ...branchRows(path, value),
  ];
}

/** Alternatives are shown one after the other, each with what marks it. */
function branchRows(path: string, value: Schema): string[] {
  return [...(value.anyOf ?? []), ...(value.oneOf ?? [])].flatMap((branch) =>
    schemaRows(branch, `${path}.`),
  );
}

function fieldRow(path: string, value: Schema, required: boolean): string {
  const fallback =
    value.default === undefined
      ? required
        ? "required"
        : ""
      : `\`${JSON.stringify(value.default)}\``;
  return tableRow([`\`${path}\``, typeOf(value), fallback, value.description ?? ""]);
}

/** A row of a Markdown table. */
export function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** A type in a word or two. */
export function typeOf(value: Schema): string {
  if (value.const !== undefined) return `\`${JSON.stringify(value.const)}\``;
  if (value.enum) return value.enum.map((item) => `\`${JSON.stringify(item)}\``).join(" or ");
  if (value.items) return `list of ${typeOf(value.items)}`;
  const limits = [value.minimum, value.maximum].filter(
    (n) => n !== undefined && Math.abs(n) < 2 ** 50,
  );
  const range = limits.length === 2 ? ` ${limits.join(" to ")}` : "";
  return `${[value.type ?? "one of several"].flat().join(" or ")}${range}`;
}
