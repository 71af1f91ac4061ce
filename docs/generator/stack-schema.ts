/** schema/stack.schema.json: what editors need to complete and check a stack file, from the schema of the program. */
import { z } from "zod";
import { documentedDaemonSchema } from "../../config/daemon";
import { nodeName, nodeSchema, proxmoxSchema } from "../../config/schema";
import { composeSchema } from "../../config/schema/compose";
import { waiversSchema } from "../../config/schema/waivers";
import { stackWorkloadsSchema } from "../../config/schema/workloads";
import { SECRETS, patternOf, type Secret } from "../../config/secrets";
import { KEYS, SETTINGS, VERSIONS } from "../../config/stack-keys";
import type { Schema } from "./schema-table";

/** Where the stack files refer to. */
export const STACK_SCHEMA = "schema/stack.schema.json";

/** Sections that are replaced whole (config/load.ts, LEFT): there, what is required stays required. */
const WHOLE = ["machine.image"];

/** A node, said once. */
const NODE: Schema = { $ref: "#/definitions/node" };

const SECRET: Schema = {
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
};

/** The text of the file. */
export function stackSchemaFile(): string {
  return `${JSON.stringify(stackSchema(), null, 2)}\n`;
}

function stackSchema(): object {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Stack file of docker-node",
    type: "object",
    properties: {
      config: {
        type: "object",
        properties: withPrefix({ ...settingSchemas(), ...secretSchemas(isPlain) }),
        patternProperties: withPattern({ "backupToken-.+": SECRET, ...secretSchemas(isPattern) }),
        // Keys of other programs are theirs.
        propertyNames: { pattern: `^(?!docker-node:)|^docker-node:${KEYS}$` },
      },
    },
    required: ["config"],
    definitions: { node: makePartial(schemaOfNode()) },
  };
}

function settingSchemas(): Record<(typeof SETTINGS)[number], Schema> {
  const { pattern } = toSchema(nodeName);
  return {
    configVersion: { enum: [...VERSIONS], description: "Format of this file. Default: 1." },
    proxmox: { ...toSchema(proxmoxSchema), description: "How the program reaches Proxmox VE." },
    defaults: { allOf: [NODE], description: "What the nodes have in common." },
    nodes: {
      type: "object",
      description: "The nodes by name, which is also the VM's and the host's.",
      propertyNames: { pattern },
      additionalProperties: NODE,
    },
    ...placedSchemas(),
    waivers: {
      ...toSchema(waiversSchema),
      description: "Values that weaken a node, each with who answers for it, and until when.",
    },
  };
}

const placedSchemas = (): Record<"workloads" | "compose", Schema> => ({
  workloads: {
    ...toSchema(stackWorkloadsSchema),
    description: "Workloads for which the program chooses nodes of the stack, by name.",
  },
  compose: {
    ...toSchema(composeSchema),
    description: "Compose files whose services are workloads, by name of the project.",
  },
});

const isPlain = (secret: Secret): boolean => patternOf(secret) === secret.name;
const isPattern = (secret: Secret): boolean => !isPlain(secret);

const secretSchemas = (which: (secret: Secret) => boolean): Record<string, Schema> =>
  Object.fromEntries(
    SECRETS.filter(which).map((secret) => [
      patternOf(secret),
      { ...SECRET, description: `Secret: ${secret.meaning}. Needed: ${secret.when}.` },
    ]),
  );

const withPattern = (keys: Record<string, Schema>): Record<string, Schema> =>
  Object.fromEntries(
    Object.entries(keys).map(([pattern, schema]) => [`^docker-node:${pattern}$`, schema]),
  );

const withPrefix = (keys: Record<string, Schema>): Record<string, Schema> =>
  Object.fromEntries(Object.entries(keys).map(([key, schema]) => [`docker-node:${key}`, schema]));

/** A node, with the keys of daemon.json that it takes. */
function schemaOfNode(): Schema {
  const schema = toSchema(nodeSchema);
  const { engine } = schema.properties ?? {};
  if (engine?.properties?.daemon) engine.properties.daemon = toSchema(documentedDaemonSchema);
  return schema;
}

function toSchema(schema: z.ZodType): Schema {
  const json = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      makePortable(jsonSchema as Schema);
    },
  }) as Schema & { $schema?: string };
  delete json.$schema;
  return json;
}

/** Without what only JavaScript says: limits of its whole numbers, and classes of its Unicode patterns. */
function makePortable(schema: Schema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.pattern)
    schema.pattern = schema.pattern.replaceAll("\\p{Cc}", "\\x00-\\x1f\\x7f-\\x9f");
}

/** What a node or the defaults may leave out to the other: anything in a map. `null` takes a value away. */
function makePartial(schema: Schema, path = ""): Schema {
  if (WHOLE.includes(path)) return schema;
  const { oneOf, anyOf, properties, additionalProperties: map, ...rest } = schema;
  delete rest.required;
  const branches = oneOf ?? anyOf;
  const inner = Object.entries(properties ?? {}).map(
    ([key, value]) =>
      [key, makeNullable(makePartial(value, path ? `${path}.${key}` : key))] as const,
  );
  return {
    ...rest,
    ...(branches && { anyOf: branches.map((branch) => makePartial(branch, path)) }),
    ...(properties && { properties: Object.fromEntries(inner) }),
    ...(map !== undefined && {
      additionalProperties: map && makeNullable(makePartial(map, `${path}.*`)),
    }),
  };
}

function makeNullable({ type, const: only, enum: some, anyOf, ...rest }: Schema): Schema {
  const values = only === undefined ? some : [only];
  if (anyOf) return { ...rest, anyOf: [...anyOf, { type: "null" }] };
  if (type === undefined) return { ...rest, ...(values && { enum: [...values, null] }) };
  return { ...rest, type: [type, "null"].flat(), ...(values && { enum: [...values, null] }) };
}
